// The outer sum of a column whose operands have scales of blocks (numerics.md,
// rule 7.8).
//
//   psum_i      {outer, inner}, both FP32
//   promote_i   a block is complete: outer becomes RNE32(outer + RNE32(factor * inner))
//   factor_i    see quaver_block_factor
//   psum_o      the same, SCALE_LATENCY + ADD_LATENCY clocks later
`default_nettype none

module quaver_block_promote #(
    parameter integer FORMAT        = 1,
    parameter integer SCALE_LATENCY = 3,
    parameter integer ADD_LATENCY   = 4,
    // Derived; leave it alone.
    parameter integer FACTOR_W      = (FORMAT == 1) ? 11 : 32
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,
    input  wire [63:0]           psum_i,
    input  wire                  promote_i,
    input  wire [FACTOR_W-1:0]   factor_i,
    output wire [63:0]           psum_o
);
    wire [31:0] scaled;

    generate
        if (FORMAT == 1) begin : gen_power
            quaver_fp32_scale #(.LATENCY(SCALE_LATENCY)) u_scale (
                .clk_i      (clk_i),
                .rst_ni     (rst_ni),
                .enable_i   (1'b1),
                .value_i    (psum_i[31:0]),
                .nan_i      (factor_i[10]),
                .exponent_i (factor_i[9:0]),
                .scaled_o   (scaled)
            );
        end else begin : gen_product
            quaver_fp32_multiply #(.LATENCY(SCALE_LATENCY)) u_multiply (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .a_i       (psum_i[31:0]),
                .b_i       (factor_i),
                .product_o (scaled)
            );
        end
    endgenerate

    wire        promote_late;
    wire [63:0] psum_late;

    quaver_delay #(.WIDTH(65), .CLOCKS(SCALE_LATENCY)) u_past (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (1'b1),
        .d_i      ({promote_i, psum_i}),
        .q_o      ({promote_late, psum_late})
    );

    // The inner sum of a complete block is not needed any more.
    quaver_promote #(.LATENCY(ADD_LATENCY)) u_promote (
        .clk_i     (clk_i),
        .rst_ni    (rst_ni),
        .psum_i    ({psum_late[63:32], promote_late ? scaled : psum_late[31:0]}),
        .promote_i (promote_late),
        .psum_o    (psum_o)
    );
endmodule

`default_nettype wire
