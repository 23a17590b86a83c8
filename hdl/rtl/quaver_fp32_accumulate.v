// psum + product in FP32: the accumulator of the array.
//
//   psum_i      FP32, any code
//   product_i   {nan, inf, sign, exponent[EXP_W], significand[PRODUCT_W]}, exact:
//               value = significand * 2^(exponent - (PRODUCT_W - 2)); the
//               significand is in [1, 4), or 0 (then the exponent means nothing);
//               a value other than 0 lies in the range of FP32's normal numbers
//   skip_i      the product is absent: psum_o is psum_i, bit for bit
//   psum_o      FP32, LATENCY enabled clocks later (1 to 5)
//
// One rounding, to nearest, ties to even, or with TOWARD_ZERO toward zero: a fused
// multiply-add (numerics.md, rule 4.1). A product of
// zero takes part with its sign. NaN, infinities and zeros: see quaver_fp32_sum.
// (IEEE 754-2019 section 5.4.1, fusedMultiplyAdd)
`default_nettype none

module quaver_fp32_accumulate #(
    parameter integer PRODUCT_W   = 8,
    parameter integer EXP_W       = 6,
    parameter integer LATENCY     = 1,
    parameter integer TOWARD_ZERO = 0
) (
    input  wire                         clk_i,
    input  wire                         rst_ni,
    input  wire                         enable_i,
    input  wire                         skip_i,
    input  wire [2+EXP_W+PRODUCT_W:0]   product_i,
    input  wire [31:0]                  psum_i,
    output wire [31:0]                  psum_o
);
    generate
        if (EXP_W < 1 || EXP_W > 9) begin : gen_illegal_exp_w
            quaver_illegal_parameter exp_w_must_be_1_to_9 ();
        end
    endgenerate

    wire                 nan, inf, sign;
    wire [EXP_W-1:0]     exponent;
    wire [PRODUCT_W-1:0] significand;
    assign {nan, inf, sign, exponent, significand} = product_i;

    // One of the two integer bits is set unless the product is zero.
    wire                 carry      = significand[PRODUCT_W-1];
    wire                 nonzero    = carry || significand[PRODUCT_W-2];
    wire [PRODUCT_W-1:0] normalised = carry ? significand : significand << 1;

    // exponent + 127 + carry: adding 128 is inverting the top bit of eight.
    wire [EXP_W+7:0] extended = {{8{exponent[EXP_W-1]}}, exponent};
    wire [7:0]       biased   = {!extended[7], extended[6:0]};

    quaver_fp32_sum #(
        .ADDEND_W    (PRODUCT_W),
        .LATENCY     (LATENCY),
        .TOWARD_ZERO (TOWARD_ZERO)
    ) u_sum (
        .clk_i                (clk_i),
        .rst_ni               (rst_ni),
        .enable_i             (enable_i),
        .base_i               (psum_i),
        .pass_i               (skip_i),
        .addend_nan_i         (nan),
        .addend_inf_i         (inf),
        .addend_present_i     (nonzero),
        .addend_sign_i        (sign),
        .addend_exponent_i    (biased),
        .addend_carry_i       (carry),
        .addend_significand_i (normalised),
        .sum_o                (psum_o)
    );

    wire unused = &{1'b0, extended};
endmodule

`default_nettype wire
