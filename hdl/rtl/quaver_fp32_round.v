// The FP32 rounder: nearest, ties to even; toward zero if round_i is 0. Combinational.
//
//   nan_i           the result is NAN
//   inf_i           the result is infinity (nan_i has precedence; with TOWARD_ZERO
//                   both together mean the largest finite number)
//   sign_i          sign of the result, unless it is nan
//   exponent_i,     their sum is the result's exponent field, before rounding; apart,
//   carry_i         so that the caller need not add (hidden bit, or 0)
//   fraction_i      23 fraction bits
//   round_i         the bit below fraction_i
//   sticky_i        a bit below that one is set
//   code_o          the FP32 code
//
// The carry of rounding goes into the exponent field by the same addition, so a
// subnormal that rounds up to a normal number and a number that rounds up to
// infinity need no more than that. A number that is too large before it is rounded
// is for the caller to find: inf_i.
// (IEEE 754-2019 sections 3.4, 4.3.1, 6.2, 7.4)
`default_nettype none

module quaver_fp32_round #(
    parameter [31:0]  NAN         = 32'h7FC0_0000,
    parameter integer TOWARD_ZERO = 0
) (
    input  wire          nan_i,
    input  wire          inf_i,
    input  wire          sign_i,
    input  wire [7:0]    exponent_i,
    input  wire          carry_i,
    input  wire [22:0]   fraction_i,
    input  wire          round_i,
    input  wire          sticky_i,
    output wire [31:0]   code_o
);
    wire special = nan_i || inf_i;
    wire largest = TOWARD_ZERO != 0 && nan_i && inf_i;
    wire nan     = nan_i && !largest;

    // The special codes are put in front of the adder, where they cost nothing.
    wire [7:0]  exponent  = special ? {7'd127, !largest} : exponent_i;
    wire        carry     = !special && carry_i;
    wire [22:0] fraction  = largest ? 23'h7F_FFFF :
                            special ? NAN[22:0] & {23{nan}} : fraction_i;
    wire        increment = !special && round_i && (sticky_i || fraction_i[0]);

    // Two operands, one carry chain.
    wire [30:0] magnitude = {exponent, fraction} + {7'd0, carry, 22'd0, increment};

    assign code_o = {nan ? NAN[31] : sign_i, magnitude};
endmodule

`default_nettype wire
