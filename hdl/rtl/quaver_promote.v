// The outer sum of a chunked accumulator (numerics.md, rule 4.5).
//
//   psum_i      {outer, inner}, both FP32
//   promote_i   a chunk is complete: outer becomes RNE32(outer + inner)
//   psum_o      the same, LATENCY clocks later (1 to 5)
`default_nettype none

module quaver_promote #(
    parameter integer LATENCY = 4
) (
    input  wire          clk_i,
    input  wire          rst_ni,
    input  wire [63:0]   psum_i,
    input  wire          promote_i,
    output wire [63:0]   psum_o
);
    quaver_fp32_add #(
        .LATENCY (LATENCY)
    ) u_add (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (1'b1),
        .a_i      (psum_i[63:32]),
        .b_i      (psum_i[31:0]),
        .pass_i   (!promote_i),
        .sum_o    (psum_o[63:32])
    );

    quaver_delay #(.WIDTH(32), .CLOCKS(LATENCY)) u_inner (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (1'b1),
        .d_i      (psum_i[31:0]),
        .q_o      (psum_o[31:0])
    );
endmodule

`default_nettype wire
