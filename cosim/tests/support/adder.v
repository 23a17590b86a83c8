// Adds at every clock; one port of each class of width.
module test_adder (
    input  wire        clk_i,
    input  wire        rst_ni,
    input  wire [6:0]  narrow_i,
    input  wire [31:0] word_i,
    input  wire [52:0] long_i,
    input  wire [99:0] wide_i,
    output reg         carry_o,
    output reg  [31:0] word_o,
    output reg  [52:0] long_o,
    output reg  [99:0] wide_o,
    output wire [7:0]  now_o
);
    assign now_o = {1'b0, narrow_i} + 8'd1;

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            {carry_o, word_o} <= 33'd0;
            long_o            <= 53'd0;
            wide_o            <= 100'd0;
        end else begin
            {carry_o, word_o} <= {1'b0, word_o} + {1'b0, word_i};
            long_o            <= long_o + long_i;
            wide_o            <= {wide_i[98:0], wide_i[99]} + {93'd0, narrow_i};
        end
    end
endmodule
