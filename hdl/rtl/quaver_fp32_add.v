// a + b in FP32, rounded to nearest, ties to even.
//
//   a_i, b_i   FP32, any codes
//   pass_i     there is no b: sum_o is a_i, bit for bit
//   sum_o      FP32, LATENCY enabled clocks later (0 to 5)
//
// Subnormals are kept on all sides. NaN, infinities and zeros: see
// quaver_fp32_sum. (IEEE 754-2019 section 5.4.1, addition)
`default_nettype none

module quaver_fp32_add #(
    parameter integer LATENCY = 1
) (
    input  wire          clk_i,
    input  wire          rst_ni,
    input  wire          enable_i,
    input  wire [31:0]   a_i,
    input  wire [31:0]   b_i,
    input  wire          pass_i,
    output wire [31:0]   sum_o
);
    wire hidden = |b_i[30:23];
    wire top    = &b_i[30:23];
    wire rest   = |b_i[22:0];

    quaver_fp32_sum #(
        .ADDEND_W (24),
        .LATENCY  (LATENCY)
    ) u_sum (
        .clk_i                (clk_i),
        .rst_ni               (rst_ni),
        .enable_i             (enable_i),
        .base_i               (a_i),
        .pass_i               (pass_i),
        .addend_nan_i         (top && rest),
        .addend_inf_i         (top && !rest),
        .addend_present_i     (1'b1),
        .addend_sign_i        (b_i[31]),
        .addend_exponent_i    ({b_i[30:24], b_i[23] || !hidden}),
        .addend_carry_i       (1'b1),
        .addend_significand_i ({hidden, b_i[22:0]}),
        .sum_o                (sum_o)
    );
endmodule

`default_nettype wire
