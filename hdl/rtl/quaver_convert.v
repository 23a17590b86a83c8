// FP32 to any enabled output format: one rounder, driven by the format's row.
//
//   value_i      FP32, any code
//   format_i     row of OUTPUT_TABLE, below OUTPUT_COUNT
//   rounding_i   0 to nearest, ties to even    3 toward -Inf
//                1 toward zero                 4 to nearest, ties away from zero
//                2 toward +Inf                 5 stochastic
//   overflow_i   what a result beyond the largest finite number becomes:
//                0 that number, 1 infinity, 2 NaN. Where the rounding moves the
//                result's sign toward zero it is the largest finite number.
//   infinity_i   what an infinite value_i becomes: 0, 1, 2 as above
//   random_i     32 random bits, used by stochastic rounding alone
//   code_o       the code, right aligned, upper bits 0;
//                LATENCY enabled clocks later (1 to 3)
//
// All inputs are sampled together. OUTPUT_TABLE has the rows of
// quaver_decode_select; what they mean here is in quaver_convert_row. Only
// formats that have an infinity or a NaN may be asked for one by overflow_i and
// infinity_i; integers do not look at these and always saturate.
//
// A NaN becomes the format's canonical NaN (of a float without one, its largest
// finite number; of an integer, 0). A result of zero keeps its sign if the format
// has -0. Overflow is decided after rounding, with an unbounded exponent.
// (IEEE 754-2019 sections 4.3 and 7.4; OCP OFP8 1.0 section 5)
//
// Stochastic: with f the part of the magnitude below the format's last place, as
// a fraction of that place, the magnitude is rounded up if
// floor(f * 2^32) + random_i >= 2^32.
`default_nettype none

module quaver_convert #(
    parameter integer                 OUTPUT_COUNT = 1,
    // fp32
    parameter [40*OUTPUT_COUNT-1:0]   OUTPUT_TABLE = 40'h00_48FF_7800,
    parameter integer                 LATENCY      = 1,
    // What a NaN of value_i becomes in FP32 (numerics.md, rule 6.2).
    parameter [31:0]                  FP32_NAN     = 32'h7FC0_0000,
    parameter integer                 INDEX_W      = (OUTPUT_COUNT > 1) ? $clog2(OUTPUT_COUNT) : 1
) (
    input  wire                 clk_i,
    input  wire                 rst_ni,
    input  wire                 enable_i,
    input  wire [31:0]          value_i,
    input  wire [INDEX_W-1:0]   format_i,
    input  wire [2:0]           rounding_i,
    input  wire [1:0]           overflow_i,
    input  wire [1:0]           infinity_i,
    input  wire [31:0]          random_i,
    output wire [31:0]          code_o
);
    generate
        if (OUTPUT_COUNT < 1) begin : gen_illegal_count
            quaver_illegal_parameter output_count_must_be_1_or_more ();
        end
        if (LATENCY < 1 || LATENCY > 3) begin : gen_illegal_latency
            quaver_illegal_parameter latency_must_be_1_to_3 ();
        end
    endgenerate

    localparam integer CUT_ALIGN = (LATENCY >= 2) ? 1 : 0;
    localparam integer CUT_ROUND = (LATENCY >= 3) ? 1 : 0;

    localparam [2:0] ROUND_NEAREST_EVEN = 3'd0;
    localparam [2:0] ROUND_TOWARD_ZERO  = 3'd1;
    localparam [2:0] ROUND_UP           = 3'd2;
    localparam [2:0] ROUND_DOWN         = 3'd3;
    localparam [2:0] ROUND_NEAREST_AWAY = 3'd4;
    localparam [2:0] ROUND_STOCHASTIC   = 3'd5;

    localparam [1:0] TO_MAX = 2'd0;
    localparam [1:0] TO_INF = 2'd1;
    localparam [1:0] TO_NAN = 2'd2;

    // ---- The rows, in the parts that the stages need --------------------------

    localparam integer ALIGN_W  = 15;
    localparam integer ENCODE_W = 129;

    wire [ALIGN_W*OUTPUT_COUNT-1:0]  align_rows;
    wire [ENCODE_W*OUTPUT_COUNT-1:0] encode_rows;

    genvar row;
    generate
        for (row = 0; row < OUTPUT_COUNT; row = row + 1) begin : gen_row
            localparam integer ROW_BIAS = {{23{OUTPUT_TABLE[40*row+26]}}, OUTPUT_TABLE[40*row+17 +: 9]};

            wire [4:0]  row_fraction_bits;
            wire [9:0]  row_min_field;
            wire [30:0] row_max, row_inf;
            wire [31:0] row_nan, row_sign;
            wire        row_integer, row_no_minus_zero;

            quaver_convert_row #(
                .EXPONENT_BITS ({28'd0, OUTPUT_TABLE[40*row+8  +: 4]}),
                .FRACTION_BITS ({27'd0, OUTPUT_TABLE[40*row+12 +: 5]}),
                .BIAS          (ROW_BIAS),
                .NAN_KIND      ({29'd0, OUTPUT_TABLE[40*row+27 +: 3]}),
                .INF_KIND      ({30'd0, OUTPUT_TABLE[40*row+30 +: 2]}),
                .ENCODING      ({30'd0, OUTPUT_TABLE[40*row+32 +: 2]})
            ) u_row (
                .fraction_bits_o (row_fraction_bits),
                .min_field_o     (row_min_field),
                .max_o           (row_max),
                .inf_o           (row_inf),
                .nan_o           (row_nan),
                .sign_o          (row_sign),
                .integer_o       (row_integer),
                .no_minus_zero_o (row_no_minus_zero)
            );

            assign align_rows[ALIGN_W*row +: ALIGN_W] = {row_fraction_bits, row_min_field};
            assign encode_rows[ENCODE_W*row +: ENCODE_W] =
                {row_max, row_inf, row_nan, row_sign, row_integer, row_no_minus_zero,
                 OUTPUT_TABLE[40*row+8 +: 4] == 4'd8 && OUTPUT_TABLE[40*row+12 +: 5] == 5'd23};
        end
    endgenerate

    // ---- Align: the last place of the format comes to bit 32 ------------------

    wire [4:0] fraction_bits;
    wire [9:0] min_field;

    quaver_select #(.COUNT(OUTPUT_COUNT), .WIDTH(ALIGN_W), .INDEX_W(INDEX_W)) u_align_row (
        .index_i (format_i),
        .words_i (align_rows),
        .word_o  ({fraction_bits, min_field})
    );

    wire        sign     = value_i[31];
    wire        hidden   = |value_i[30:23];
    wire        top      = &value_i[30:23];
    wire        rest     = |value_i[22:0];
    wire        nan      = top && rest;
    wire        inf      = top && !rest;
    wire [7:0]  field    = {value_i[30:24], value_i[23] || !hidden};

    // Binades above min_field become the exponent field; below it, the value
    // moves right under a last place that stays.
    wire [10:0] above    = {3'd0, field} - {1'b0, min_field};
    wire        below    = above[10];
    wire [7:0]  binade   = below ? 8'd0 : above[7:0];
    wire [9:0]  depth    = below ? ~above[9:0] + 10'd1 : 10'd0;
    wire [9:0]  distance = depth + 10'd23 - {5'd0, fraction_bits};

    wire [55:0] window;
    wire        sticky;

    quaver_shift_right #(.WIDTH(56), .AMOUNT_W(6)) u_shift (
        .value_i   ({hidden, value_i[22:0], 32'd0}),
        .amount_i  (distance[5:0]),
        .far_i     (|distance[9:6]),
        .nonzero_i (hidden || rest),
        .value_o   (window),
        .sticky_o  (sticky)
    );

    wire               nan_1, inf_1, sign_1, sticky_1;
    wire [INDEX_W-1:0] format_1;
    wire [2:0]         rounding_1;
    wire [1:0]         overflow_1, infinity_1;
    wire [31:0]        random_1;
    wire [4:0]         fraction_bits_1;
    wire [7:0]         binade_1;
    wire [23:0]        kept_1;
    wire [31:0]        discarded_1;

    quaver_stage #(.WIDTH(112 + INDEX_W), .REGISTERED(CUT_ALIGN)) u_align (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan, inf, sign, sticky, format_i, rounding_i, overflow_i, infinity_i, random_i,
                    fraction_bits, binade, window}),
        .q_o      ({nan_1, inf_1, sign_1, sticky_1, format_1, rounding_1, overflow_1, infinity_1, random_1,
                    fraction_bits_1, binade_1, kept_1, discarded_1})
    );

    // ---- Round ----------------------------------------------------------------

    wire half    = discarded_1[31];
    wire beyond  = (|discarded_1[30:0]) || sticky_1;
    wire inexact = half || beyond;

    wire [32:0] dithered = {1'b0, discarded_1} + {1'b0, random_1};

    wire outward = (rounding_1 == ROUND_UP && !sign_1) || (rounding_1 == ROUND_DOWN && sign_1);
    wire inward  = (rounding_1 == ROUND_UP && sign_1) || (rounding_1 == ROUND_DOWN && !sign_1)
                 || rounding_1 == ROUND_TOWARD_ZERO;

    // Ties go to the even code: without a fraction, its last bit is that of the exponent field.
    wire odd_code  = kept_1[0] ^ (fraction_bits_1 == 5'd0 && binade_1[0]);
    wire increment = (rounding_1 == ROUND_NEAREST_EVEN && half && (beyond || odd_code))
                  || (rounding_1 == ROUND_NEAREST_AWAY && half)
                  || (rounding_1 == ROUND_STOCHASTIC   && dithered[32])
                  || (outward && inexact);

    // The magnitude code, as if the exponent field had no end: the hidden bit and
    // the carry of rounding run into it. The lowest bit makes the carry in.
    wire [32:0] sum       = {{24'd0, binade_1} << fraction_bits_1, 1'b1} + {8'd0, kept_1, increment};
    wire [31:0] magnitude = sum[32:1];

    // Where overflow goes is known before whether there is one.
    wire [1:0] policy = inf_1 ? infinity_1 : inward ? TO_MAX : overflow_1;

    wire               nan_2, inf_2, sign_2;
    wire [INDEX_W-1:0] format_2;
    wire [1:0]         policy_2;
    wire [31:0]        magnitude_2;

    quaver_stage #(.WIDTH(37 + INDEX_W), .REGISTERED(CUT_ROUND)) u_round (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_1, inf_1, sign_1, format_1, policy, magnitude}),
        .q_o      ({nan_2, inf_2, sign_2, format_2, policy_2, magnitude_2})
    );

    // ---- Encode ---------------------------------------------------------------

    wire [30:0] max_code, inf_code;
    wire [31:0] nan_code, sign_bit;
    wire        is_integer, no_minus_zero, is_fp32;

    quaver_select #(.COUNT(OUTPUT_COUNT), .WIDTH(ENCODE_W), .INDEX_W(INDEX_W)) u_encode_row (
        .index_i (format_2),
        .words_i (encode_rows),
        .word_o  ({max_code, inf_code, nan_code, sign_bit, is_integer, no_minus_zero, is_fp32})
    );

    // Two's complement reaches one further on the negative side.
    wire [31:0] limit     = {1'b0, max_code} + {31'd0, is_integer && sign_2};
    wire        too_large = inf_2 || magnitude_2 > limit;
    wire        to_inf    = too_large && policy_2 == TO_INF && !is_integer;
    wire        to_nan    = nan_2 || (too_large && policy_2 == TO_NAN && !is_integer);

    wire [31:0] result    = to_inf ? {1'b0, inf_code} : too_large ? limit : magnitude_2;
    wire        negative  = sign_2 && !(no_minus_zero && result == 32'd0);

    // -result in the bits up to the sign bit: for integers that are negative.
    wire [31:0] all_bits  = sign_bit | (sign_bit - 32'd1);
    wire [31:0] own_nan   = (nan_2 && is_fp32) ? FP32_NAN : nan_code;
    wire [31:0] code      = to_nan     ? own_nan :
                            !negative  ? result :
                            is_integer ? (32'd0 - result) & all_bits : result | sign_bit;

    quaver_stage #(.WIDTH(32), .REGISTERED(1)) u_code (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      (code),
        .q_o      (code_o)
    );

    wire unused = &{1'b0, sum[0], dithered[31:0], above[9:8]};
endmodule

`default_nettype wire
