// One of COUNT words, chosen by index. Combinational.
//
//   index_i   below COUNT; beyond that word_o is 0
//   words_i   word 0 in the low bits
//
// An AND-OR multiplexer: no word is the default, so each costs its own gate alone.
`default_nettype none

module quaver_select #(
    parameter integer COUNT   = 2,
    parameter integer WIDTH   = 8,
    parameter integer INDEX_W = (COUNT > 1) ? $clog2(COUNT) : 1
) (
    input  wire [INDEX_W-1:0]       index_i,
    input  wire [WIDTH*COUNT-1:0]   words_i,
    output wire [WIDTH-1:0]         word_o
);
    reg     [WIDTH-1:0] word;
    integer             k;

    always @* begin
        word = {WIDTH{1'b0}};
        for (k = 0; k < COUNT; k = k + 1) begin
            if (index_i == k[INDEX_W-1:0]) word = word | words_i[WIDTH*k +: WIDTH];
        end
    end

    assign word_o = word;
endmodule

`default_nettype wire
