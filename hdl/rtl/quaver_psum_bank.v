// One bank of one column of partial sums: a memory with a read and a write port.
//
//   read_data_o   the word at read_address_i of the last clock with read_enable_i
//
// The core never reads a word in the clock that writes it.
`default_nettype none

module quaver_psum_bank #(
    parameter integer DEPTH     = 256,
    parameter integer WIDTH     = 32,
    // Derived; leave it alone.
    parameter integer ADDRESS_W = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
    input  wire                   clk_i,
    input  wire                   write_enable_i,
    input  wire [ADDRESS_W-1:0]   write_address_i,
    input  wire [WIDTH-1:0]       write_data_i,
    input  wire                   read_enable_i,
    input  wire [ADDRESS_W-1:0]   read_address_i,
    output wire [WIDTH-1:0]       read_data_o
);
    reg [WIDTH-1:0] memory [0:DEPTH-1];
    // The memory's own output register: it has no reset either.
    reg [WIDTH-1:0] read_data_q;

    integer word;
    initial begin
        for (word = 0; word < DEPTH; word = word + 1) memory[word] = {WIDTH{1'b0}};
        read_data_q = {WIDTH{1'b0}};
    end

    always @(posedge clk_i) begin
        if (write_enable_i) memory[write_address_i] <= write_data_i;
        if (read_enable_i)  read_data_q <= memory[read_address_i];
    end

    assign read_data_o = read_data_q;
endmodule

`default_nettype wire
