// psum + LANES products as one fused operation: the dot product of a matrix unit
// (numerics.md, rule 4.3).
//
//   valid_i     a product that is not valid is absent; lane 0 is if any is. Without
//               any psum_o is psum_i, bit for bit.
//   product_i   of quaver_product: {nan, inf, sign, exponent[EXP_W],
//               significand[PRODUCT_W]}. exponent + EXP_BASE is the alignment
//               exponent; the smallest exponent, -2^(EXP_W-1), is not used
//   psum_i      FP32, any code
//   psum_o      FP32, LATENCY enabled clocks later (1 to 5)
//
//   FRACTION_BITS   fraction bits below the largest exponent
//   EVEN_ODD        1: even and odd lanes are two groups
//   EXP_FLOOR       least value of the largest exponent
//   ADDEND          psum_i enters 0 early, 1 late and rounded, 2 late and exact,
//                   3 late and floored, to ADDEND_BITS where the sum has SUM_BITS
//   OUTPUT_BITS     0: to nearest, ties to even; n: toward zero to n fraction bits
//   FLUSH           1: subnormal psums and results are zero
//   NAN             the one that it produces
`default_nettype none

module quaver_dot #(
    parameter integer LANES         = 8,
    parameter integer PRODUCT_W     = 8,
    parameter integer EXP_W         = 5,
    parameter integer EXP_BASE      = 2,
    parameter integer FRACTION_BITS = 24,
    parameter integer EVEN_ODD      = 0,
    parameter integer EXP_FLOOR     = -132,
    parameter integer ADDEND        = 0,
    parameter integer SUM_BITS      = 31,
    parameter integer ADDEND_BITS   = 24,
    parameter integer OUTPUT_BITS   = 23,
    parameter integer FLUSH         = 0,
    parameter [31:0]  NAN           = 32'h7FFF_FFFF,
    parameter integer LATENCY       = 1
) (
    input  wire                                 clk_i,
    input  wire                                 rst_ni,
    input  wire                                 enable_i,
    input  wire [LANES-1:0]                     valid_i,
    input  wire [LANES*(3+EXP_W+PRODUCT_W)-1:0] product_i,
    input  wire [31:0]                          psum_i,
    output wire [31:0]                          psum_o
);
    localparam integer EARLY        = 0;
    localparam integer LATE_ROUNDED = 1;
    localparam integer LATE_EXACT   = 2;
    localparam integer LATE_FLOORED = 3;

    generate
        if (LATENCY < 1 || LATENCY > 5) begin : gen_illegal_latency
            quaver_illegal_parameter latency_must_be_1_to_5 ();
        end
        if (ADDEND < 0 || ADDEND > 3 || (EVEN_ODD != 0 && (ADDEND == EARLY || LANES < 2))) begin : gen_illegal_addend
            quaver_illegal_parameter addend_must_be_0_to_3_and_late_with_even_odd ();
        end
        if (EXP_W > 9) begin : gen_illegal_exp_w
            quaver_illegal_parameter exp_w_must_be_1_to_9 ();
        end
    endgenerate

    // Which cuts are registers, in the order in which the longest part gains most.
    localparam integer CUT_SUM       = (LATENCY >= 2) ? 1 : 0;
    localparam integer CUT_RANK      = (LATENCY >= 3) ? 1 : 0;
    localparam integer CUT_LATE      = (ADDEND != EARLY && LATENCY >= 4) ? 1 : 0;
    localparam integer CUT_NORMALISE =
        (ADDEND != LATE_ROUNDED && LATENCY >= 4 + CUT_LATE) ? 1 : 0;
    localparam integer CUT_PRODUCT   = (ADDEND == EARLY && LATENCY >= 5) ? 1 : 0;
    localparam integer ADD_LATENCY   = (LATENCY >= 5) ? 2 : 1;
    // Clocks before the sum of a block is there.
    localparam integer SUM_LATENCY   = CUT_PRODUCT + CUT_RANK + CUT_SUM;

    // ---- Products -----------------------------------------------------------------

    localparam integer WIRES_W   = 3 + EXP_W + PRODUCT_W;
    localparam integer RANK_BASE = 127 + EXP_BASE - (1 << (EXP_W - 1));

    wire [LANES-1:0]           nan, positive_inf, negative_inf, negative;
    wire [LANES*EXP_W-1:0]     rank;
    wire [LANES*PRODUCT_W-1:0] significand;

    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : gen_lane
            wire                 lane_nan, lane_inf, lane_sign;
            wire [EXP_W-1:0]     lane_exponent;
            wire [PRODUCT_W-1:0] lane_significand;
            assign {lane_nan, lane_inf, lane_sign, lane_exponent, lane_significand} =
                product_i[WIRES_W*lane +: WIRES_W];

            wire present = valid_i[lane] && (|lane_significand);

            assign nan[lane]          = valid_i[lane] && lane_nan;
            assign positive_inf[lane] = valid_i[lane] && lane_inf && !lane_sign;
            assign negative_inf[lane] = valid_i[lane] && lane_inf && lane_sign;
            assign negative[lane]     = present && lane_sign;
            // Adding 2^(EXP_W-1) is inverting the top bit.
            assign rank[EXP_W*lane +: EXP_W] =
                present ? lane_exponent ^ {1'b1, {EXP_W-1{1'b0}}} : {EXP_W{1'b0}};
            assign significand[PRODUCT_W*lane +: PRODUCT_W] =
                lane_significand & {PRODUCT_W{valid_i[lane]}};
        end
    endgenerate

    wire        flushed   = FLUSH != 0 && psum_i[30:23] == 8'd0;
    wire [31:0] addend    = flushed ? {psum_i[31], 31'd0} : psum_i;
    wire        psum_top  = &psum_i[30:23];
    wire        psum_rest = |psum_i[22:0];

    // Of the products alone where quaver_fp32_add sees to those of psum_i.
    wire psum_special = psum_top && ADDEND != LATE_ROUNDED;
    wire any_positive = (|positive_inf) || (psum_special && !psum_rest && !psum_i[31]);
    wire any_negative = (|negative_inf) || (psum_special && !psum_rest && psum_i[31]);
    wire any_nan      = (|nan) || (psum_special && psum_rest) || (any_positive && any_negative);
    wire any_inf      = any_positive || any_negative;

    localparam integer LANE_W = EXP_W + 1 + PRODUCT_W;

    wire                       nan_0, inf_0, inf_sign_0, skip_0;
    wire [31:0]                psum_0, addend_0;
    wire [LANES-1:0]           negative_0;
    wire [LANES*EXP_W-1:0]     rank_0;
    wire [LANES*PRODUCT_W-1:0] significand_0;

    quaver_stage #(.WIDTH(68 + LANES*LANE_W), .REGISTERED(CUT_PRODUCT)) u_products (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({any_nan, any_inf, any_negative, !valid_i[0], psum_i, addend,
                    negative, rank, significand}),
        .q_o      ({nan_0, inf_0, inf_sign_0, skip_0, psum_0, addend_0,
                    negative_0, rank_0, significand_0})
    );

    // What passes by the sum.
    wire        nan_1, inf_1, inf_sign_1, skip_1;
    wire [31:0] psum_1, addend_1;

    quaver_delay #(.WIDTH(68), .CLOCKS(CUT_RANK + CUT_SUM)) u_beside (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_0, inf_0, inf_sign_0, skip_0, psum_0, addend_0}),
        .q_o      ({nan_1, inf_1, inf_sign_1, skip_1, psum_1, addend_1})
    );

    // ---- The sum of the block -------------------------------------------------------

    localparam integer EVEN_LANES = (EVEN_ODD != 0) ? (LANES + 1) / 2 : LANES;
    localparam integer ODD_LANES  = (EVEN_ODD != 0) ? LANES / 2 : 1;
    localparam integer WITH_PSUM  = (ADDEND == EARLY) ? 1 : 0;
    localparam integer GROUP_W    = FRACTION_BITS + 3 + $clog2(EVEN_LANES) + WITH_PSUM;
    localparam integer SUM_W      = GROUP_W + ((EVEN_ODD != 0) ? 1 : 0);

    wire [9:0]       exponent;
    wire [SUM_W-1:0] sum;
    wire             sum_carry;

    generate
        if (EVEN_ODD == 0) begin : gen_one
            quaver_dot_group #(
                .LANES         (LANES),
                .PRODUCT_W     (PRODUCT_W),
                .RANK_W        (EXP_W),
                .RANK_BASE     (RANK_BASE),
                .EXP_FLOOR     (EXP_FLOOR),
                .FRACTION_BITS (FRACTION_BITS),
                .ADDEND        (WITH_PSUM),
                .CUT_RANK      (CUT_RANK),
                .CUT_SUM       (CUT_SUM)
            ) u_group (
                .clk_i                (clk_i),
                .rst_ni               (rst_ni),
                .enable_i             (enable_i),
                .rank_i               (rank_0),
                .negative_i           (negative_0),
                .significand_i        (significand_0),
                .addend_negative_i    (addend_0[31] && (|addend_0[30:0])),
                .addend_exponent_i    ({addend_0[30:24], addend_0[23] || !(|addend_0[30:23])}),
                .addend_significand_i ({|addend_0[30:23], addend_0[22:0]}),
                .exponent_o           (exponent),
                .sum_o                (sum),
                .carry_o              (sum_carry)
            );
        end else begin : gen_even_odd
            // Lane 2i and lane 2i + 1 to places i of the two groups.
            wire [2*EVEN_LANES-1:0]           negatives    = {{2*EVEN_LANES-LANES{1'b0}}, negative_0};
            wire [2*EVEN_LANES*EXP_W-1:0]     ranks        = {{(2*EVEN_LANES-LANES)*EXP_W{1'b0}}, rank_0};
            wire [2*EVEN_LANES*PRODUCT_W-1:0] significands = {{(2*EVEN_LANES-LANES)*PRODUCT_W{1'b0}}, significand_0};

            wire [2*GROUP_W-1:0] sums;
            wire [1:0]           carries;
            wire [19:0]          exponents;

            genvar odd, pair;
            for (odd = 0; odd < 2; odd = odd + 1) begin : gen_group
                localparam integer COUNT = (odd == 0) ? EVEN_LANES : ODD_LANES;

                wire [COUNT-1:0]           group_negative;
                wire [COUNT*EXP_W-1:0]     group_rank;
                wire [COUNT*PRODUCT_W-1:0] group_significand;
                wire [FRACTION_BITS+2+$clog2(COUNT):0] group_sum;

                for (pair = 0; pair < COUNT; pair = pair + 1) begin : gen_pair
                    assign group_negative[pair] = negatives[2*pair+odd];
                    assign group_rank[EXP_W*pair +: EXP_W] = ranks[EXP_W*(2*pair+odd) +: EXP_W];
                    assign group_significand[PRODUCT_W*pair +: PRODUCT_W] =
                        significands[PRODUCT_W*(2*pair+odd) +: PRODUCT_W];
                end

                quaver_dot_group #(
                    .LANES         (COUNT),
                    .PRODUCT_W     (PRODUCT_W),
                    .RANK_W        (EXP_W),
                    .RANK_BASE     (RANK_BASE),
                    .EXP_FLOOR     (EXP_FLOOR),
                    .FRACTION_BITS (FRACTION_BITS),
                    .ADDEND        (0),
                    .CUT_RANK      (CUT_RANK),
                    .CUT_SUM       (CUT_SUM)
                ) u_group (
                    .clk_i                (clk_i),
                    .rst_ni               (rst_ni),
                    .enable_i             (enable_i),
                    .rank_i               (group_rank),
                    .negative_i           (group_negative),
                    .significand_i        (group_significand),
                    .addend_negative_i    (1'b0),
                    .addend_exponent_i    (8'd0),
                    .addend_significand_i (24'd0),
                    .exponent_o           (exponents[10*odd +: 10]),
                    .sum_o                (group_sum),
                    .carry_o              (carries[odd])
                );

                assign sums[GROUP_W*odd +: GROUP_W] =
                    {{GROUP_W-(FRACTION_BITS+3+$clog2(COUNT)){group_sum[FRACTION_BITS+2+$clog2(COUNT)]}},
                     group_sum};
            end

            quaver_group_merge #(
                .SUM_W (GROUP_W)
            ) u_merge (
                .even_i          (sums[0 +: GROUP_W]),
                .even_carry_i    (carries[0]),
                .even_exponent_i (exponents[9:0]),
                .odd_i           (sums[GROUP_W +: GROUP_W]),
                .odd_carry_i     (carries[1]),
                .odd_exponent_i  (exponents[19:10]),
                .sum_o           (sum),
                .exponent_o      (exponent)
            );

            assign sum_carry = 1'b0;
        end
    endgenerate

    // ---- The result -------------------------------------------------------------------

    // Bit SUM_W-2 of the sum weighs 2^(exponent + FIELD_UP).
    localparam integer FIELD_UP = SUM_W - 2 - FRACTION_BITS;

    wire [9:0]  sum_field = exponent + FIELD_UP[9:0];
    wire [31:0] result;
    wire        skip_out;
    wire [31:0] psum_out;

    quaver_delay #(.WIDTH(33), .CLOCKS(LATENCY - SUM_LATENCY)) u_skip (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({skip_1, psum_1}),
        .q_o      ({skip_out, psum_out})
    );

    generate
        if (ADDEND == LATE_ROUNDED) begin : gen_late_rounded
            wire [31:0] rounded, added;
            wire [31:0] addend_2;

            quaver_fixed_to_fp32 #(
                .WIDTH       (SUM_W),
                .OUTPUT_BITS (OUTPUT_BITS),
                .LATENCY     (CUT_LATE)
            ) u_round (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (enable_i),
                .value_i  (sum),
                .carry_i  (sum_carry),
                .field_i  (sum_field),
                .nan_i    (nan_1),
                .inf_i    (inf_1),
                .sign_i   (inf_sign_1),
                .code_o   (rounded)
            );

            quaver_delay #(.WIDTH(32), .CLOCKS(CUT_LATE)) u_addend (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (enable_i),
                .d_i      (addend_1),
                .q_o      (addend_2)
            );

            quaver_fp32_add #(
                .LATENCY (ADD_LATENCY)
            ) u_add (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (enable_i),
                .a_i      (rounded),
                .b_i      (addend_2),
                .pass_i   (1'b0),
                .sum_o    (added)
            );

            wire added_nan  = (&added[30:23]) && (|added[22:0]);
            wire added_zero = added[30:23] == 8'd0 && (FLUSH != 0 || added[22:0] == 23'd0);

            assign result = added_nan ? NAN : added_zero ? 32'd0 : added;
        end else begin : gen_fixed
            localparam integer FIXED_W =
                (ADDEND == LATE_EXACT)   ? SUM_W + 27 :
                (ADDEND == LATE_FLOORED) ? SUM_W - FRACTION_BITS + SUM_BITS + 1 : SUM_W;

            wire [FIXED_W-1:0] fixed;
            wire               carry;
            wire [9:0]         field;
            wire               nan_2, inf_2, inf_sign_2;

            if (ADDEND == EARLY) begin : gen_early
                assign fixed = sum;
                assign carry = sum_carry;
                assign field = sum_field;
            end else begin : gen_late
                wire [SUM_W-1:0] whole = sum + {{SUM_W-1{1'b0}}, sum_carry};
                assign carry = 1'b0;

                if (ADDEND == LATE_EXACT) begin : gen_exact
                    quaver_exact_sum #(
                        .SUM_W   (SUM_W),
                        .CUT_SUM (CUT_LATE)
                    ) u_sum (
                        .clk_i    (clk_i),
                        .rst_ni   (rst_ni),
                        .enable_i (enable_i),
                        .fixed_i  (whole),
                        .field_i  (sum_field),
                        .addend_i (addend_1),
                        .sum_o    (fixed),
                        .field_o  (field)
                    );
                end else begin : gen_floored
                    quaver_floored_sum #(
                        .SUM_W         (SUM_W),
                        .FRACTION_BITS (FRACTION_BITS),
                        .SUM_BITS      (SUM_BITS),
                        .ADDEND_BITS   (ADDEND_BITS),
                        .CUT_SUM       (CUT_LATE)
                    ) u_sum (
                        .clk_i      (clk_i),
                        .rst_ni     (rst_ni),
                        .enable_i   (enable_i),
                        .fixed_i    (whole),
                        .exponent_i (exponent),
                        .addend_i   (addend_1),
                        .sum_o      (fixed),
                        .field_o    (field)
                    );

                    wire unused = &{1'b0, sum_field};
                end
            end

            quaver_delay #(.WIDTH(3), .CLOCKS(CUT_LATE)) u_special (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (enable_i),
                .d_i      ({nan_1, inf_1, inf_sign_1}),
                .q_o      ({nan_2, inf_2, inf_sign_2})
            );

            quaver_fixed_to_fp32 #(
                .WIDTH       (FIXED_W),
                .OUTPUT_BITS ((ADDEND == EARLY) ? OUTPUT_BITS : 0),
                .FLUSH       (FLUSH),
                .NAN         (NAN),
                .LATENCY     (1 + CUT_NORMALISE)
            ) u_round (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (enable_i),
                .value_i  (fixed),
                .carry_i  (carry),
                .field_i  (field),
                .nan_i    (nan_2),
                .inf_i    (inf_2),
                .sign_i   (inf_sign_2),
                .code_o   (result)
            );

            wire unused = &{1'b0, addend_1};
        end
    endgenerate

    assign psum_o = skip_out ? psum_out : result;
endmodule

`default_nettype wire
