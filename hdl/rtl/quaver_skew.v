// The triangle of delay lines at the left edge of the array.
//
//   data_i   one word for each row of the array, row 0 in the low bits
//   data_o   the word of row r, r * PE_LATENCY clocks later
//
// A partial sum reaches row r that many clocks after row 0, and must meet there
// the operand of the same row of A.
`default_nettype none

module quaver_skew #(
    parameter integer ROWS       = 8,
    parameter integer WIDTH      = 13,
    parameter integer PE_LATENCY = 4
) (
    input  wire                    clk_i,
    input  wire                    rst_ni,
    input  wire [ROWS*WIDTH-1:0]   data_i,
    output wire [ROWS*WIDTH-1:0]   data_o
);
    genvar row;
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : gen_row
            quaver_delay #(
                .WIDTH  (WIDTH),
                .CLOCKS (row * PE_LATENCY)
            ) u_delay (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      (data_i[WIDTH*row +: WIDTH]),
                .q_o      (data_o[WIDTH*row +: WIDTH])
            );
        end
    endgenerate
endmodule

`default_nettype wire
