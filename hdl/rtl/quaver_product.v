// The exact product of two operands. Combinational.
//
//   a_i, b_i    operands, see quaver_decode
//   product_o   {nan, inf, sign, exponent[EXP_W+1], significand[2*SIG_W]}
//               value = significand * 2^(exponent - (2*SIG_W - 2)), so that the
//               significand is in [1, 4), or 0 (in [0, 4) if operands are not
//               normalised); exponent is signed.
//               The exponent of zero, inf and nan means nothing.
//
// nan if an operand is nan, or for inf * 0; otherwise inf if an operand is inf.
// The sign is the exclusive or of the signs, for zero and inf too; nan has none.
// (IEEE 754-2019 sections 6.1 to 6.3 and 7.2)
`default_nettype none

module quaver_product #(
    parameter integer EXP_W = 5,
    parameter integer SIG_W = 4,
    // 1: an operand's top bit alone tells zero; see NORMALISE of quaver_decode.
    parameter integer NORMALISED = 1
) (
    input  wire [2+EXP_W+SIG_W:0]     a_i,
    input  wire [2+EXP_W+SIG_W:0]     b_i,
    output wire [3+EXP_W+2*SIG_W:0]   product_o
);
    localparam integer PRODUCT_W = 2 * SIG_W;

    wire                    a_nan, a_inf, a_sign;
    wire                    b_nan, b_inf, b_sign;
    wire signed [EXP_W-1:0] a_exponent, b_exponent;
    wire        [SIG_W-1:0] a_significand, b_significand;
    assign {a_nan, a_inf, a_sign, a_exponent, a_significand} = a_i;
    assign {b_nan, b_inf, b_sign, b_exponent, b_significand} = b_i;

    wire a_some, b_some;
    generate
        if (NORMALISED != 0) begin : gen_normalised
            assign a_some = a_significand[SIG_W-1];
            assign b_some = b_significand[SIG_W-1];
        end else begin : gen_any
            assign a_some = |a_significand;
            assign b_some = |b_significand;
        end
    endgenerate

    wire a_zero = !a_some && !a_inf;
    wire b_zero = !b_some && !b_inf;

    wire nan  = a_nan || b_nan || (a_inf && b_zero) || (a_zero && b_inf);
    wire inf  = (a_inf || b_inf) && !nan;
    wire sign = (a_sign ^ b_sign) && !nan;

    wire signed [EXP_W:0]   exponent    = a_exponent + b_exponent;
    wire [PRODUCT_W-1:0]    significand = a_significand * b_significand;

    assign product_o = {nan, inf, sign, exponent, significand};
endmodule

`default_nettype wire
