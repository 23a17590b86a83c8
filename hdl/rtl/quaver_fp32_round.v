// The FP32 rounder: nearest, ties to even. Combinational.
//
//   nan_i           the result is the canonical NaN, 7FC00000
//   inf_i           the result is infinity (nan_i has precedence)
//   sign_i          sign of the result, unless it is nan
//   exponent_i      the result's exponent field, less the hidden bit: field - 1
//                   for a normal significand, 0 for subnormals and zero
//   significand_i   1 integer bit (the hidden bit) and 23 fraction bits
//   round_i         the bit below significand_i
//   sticky_i        a bit below that one is set
//   code_o          the FP32 code
//
// The hidden bit and the carry of rounding go into the exponent field by the
// same addition, so a subnormal that rounds up to a normal number and a number
// that rounds up to infinity need no more than that. A number that is too large
// before it is rounded is for the caller to find: inf_i.
// (IEEE 754-2019 sections 3.4, 4.3.1, 6.2, 7.4)
`default_nettype none

module quaver_fp32_round (
    input  wire          nan_i,
    input  wire          inf_i,
    input  wire          sign_i,
    input  wire [7:0]    exponent_i,
    input  wire [23:0]   significand_i,
    input  wire          round_i,
    input  wire          sticky_i,
    output wire [31:0]   code_o
);
    wire special = nan_i || inf_i;

    // The special codes are put in front of the adder, where they cost nothing.
    wire [7:0]  exponent    = special ? 8'd254 : exponent_i;
    wire [23:0] significand = special ? {1'b1, nan_i, 22'd0} : significand_i;
    wire        increment   = !special && round_i && (sticky_i || significand_i[0]);

    // Two operands, one carry chain.
    wire [30:0] magnitude = {exponent, significand[22:0]} + {7'd0, significand[23], 22'd0, increment};

    assign code_o = {sign_i && !nan_i, magnitude};
endmodule

`default_nettype wire
