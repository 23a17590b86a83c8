// Aligns the terms of one group to the largest exponent among them, truncates and
// adds them exactly (numerics.md, rule 4.3, steps 2 and 3).
//
//   rank_i          per product: its alignment exponent + 127 - RANK_BASE, 1 or
//                   more; 0 for a product that is zero or absent
//   negative_i, significand_i   per product; PRODUCT_W - 2 fraction bits
//   addend_*        with ADDEND: one more term. Its exponent is biased by 127, its
//                   significand has 1 integer bit and 23 fraction bits; a significand
//                   of 0 is no term.
//   exponent_o      the largest alignment exponent, biased by 127, signed
//   sum_o, carry_o  sum_o + carry_o, in units of 2^(exponent - FRACTION_BITS),
//                   sum_o in two's complement; CUT_RANK + CUT_SUM enabled clocks
//                   after the inputs
//
// Without any term the sum is 0, and the exponent means nothing.
`default_nettype none

module quaver_dot_group #(
    parameter integer LANES         = 8,
    parameter integer PRODUCT_W     = 8,
    parameter integer RANK_W        = 5,
    parameter integer RANK_BASE     = 97,
    parameter integer EXP_FLOOR     = -132,
    parameter integer FRACTION_BITS = 13,
    parameter integer ADDEND        = 1,
    parameter integer CUT_RANK      = 0,
    parameter integer CUT_SUM       = 0,
    // Derived; leave it alone.
    parameter integer SUM_W         = FRACTION_BITS + 3 + $clog2(LANES) + ADDEND
) (
    input  wire                         clk_i,
    input  wire                         rst_ni,
    input  wire                         enable_i,
    input  wire [LANES*RANK_W-1:0]      rank_i,
    input  wire [LANES-1:0]             negative_i,
    input  wire [LANES*PRODUCT_W-1:0]   significand_i,
    input  wire                         addend_negative_i,
    input  wire [7:0]                   addend_exponent_i,
    input  wire [23:0]                  addend_significand_i,
    output wire [9:0]                   exponent_o,
    output wire [SUM_W-1:0]             sum_o,
    output wire                         carry_o
);
    localparam integer TERM_W     = FRACTION_BITS + 3;
    localparam integer PRODUCTS_W = SUM_W - ADDEND;
    localparam integer SHIFT_W    = $clog2(FRACTION_BITS + 2);
    localparam integer WIDEST_W   = (RANK_W > SHIFT_W) ? RANK_W : SHIFT_W;
    // With an addend the largest rank can be far above those of all products: one
    // bit more is enough to tell.
    localparam integer NEAR_W     = (ADDEND != 0) ? WIDEST_W + 1 : RANK_W;
    localparam integer BIASED_FLOOR = EXP_FLOOR + 127;

    // ---- The largest ------------------------------------------------------------

    wire [RANK_W-1:0]  product_rank;
    wire signed [10:0] rank;
    wire signed [10:0] addend_rank;

    quaver_max_tree #(
        .COUNT (LANES),
        .WIDTH (RANK_W)
    ) u_largest (
        .words_i   (rank_i),
        .largest_o (product_rank)
    );

    wire signed [10:0] product_rank_wide = {{11-RANK_W{1'b0}}, product_rank};
    wire               no_product        = product_rank == {RANK_W{1'b0}};
    wire signed [10:0] largest;

    generate
        if (ADDEND != 0) begin : gen_addend_rank
            assign addend_rank = $signed({3'd0, addend_exponent_i}) - RANK_BASE[10:0];
            assign largest     = (addend_significand_i != 24'd0
                                  && (no_product || addend_rank > product_rank_wide))
                               ? addend_rank : product_rank_wide;
        end else begin : gen_no_addend_rank
            assign addend_rank = 11'd0;
            assign largest     = product_rank_wide;

            wire unused = &{1'b0, no_product, addend_exponent_i, addend_significand_i};
        end

        // Below the smallest exponent of a term the floor decides nothing.
        if (BIASED_FLOOR > RANK_BASE + 1 || (ADDEND != 0 && BIASED_FLOOR > 1)) begin : gen_floor
            localparam integer RANK_FLOOR = BIASED_FLOOR - RANK_BASE;
            assign rank = (largest < $signed(RANK_FLOOR[10:0])) ? RANK_FLOOR[10:0] : largest;
        end else begin : gen_no_floor
            assign rank = largest;
        end
    endgenerate

    localparam integer LANE_W = RANK_W + 1 + PRODUCT_W;

    wire signed [10:0]          rank_1, addend_rank_1;
    wire                        addend_negative_1;
    wire [23:0]                 addend_significand_1;
    wire [LANES*RANK_W-1:0]     ranks_1;
    wire [LANES-1:0]            negative_1;
    wire [LANES*PRODUCT_W-1:0]  significand_1;

    quaver_stage #(.WIDTH(47 + LANES*LANE_W), .REGISTERED(CUT_RANK)) u_rank (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({rank, addend_rank, addend_negative_i, addend_significand_i,
                    rank_i, negative_i, significand_i}),
        .q_o      ({rank_1, addend_rank_1, addend_negative_1, addend_significand_1,
                    ranks_1, negative_1, significand_1})
    );

    // ---- Align ------------------------------------------------------------------

    // What is beyond NEAR_W bits is as far as all ones. A rank below 0 is that of an
    // addend alone.
    wire [NEAR_W-1:0] near;
    generate
        if (NEAR_W < 10) begin : gen_near
            assign near = rank_1[NEAR_W-1:0] | {NEAR_W{!rank_1[10] && (|rank_1[9:NEAR_W])}};
        end else begin : gen_all
            assign near = rank_1[NEAR_W-1:0];
        end
    endgenerate

    wire [LANES*TERM_W-1:0] terms;

    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : gen_lane
            wire [NEAR_W-1:0] own = {{NEAR_W-RANK_W{1'b0}}, ranks_1[RANK_W*lane +: RANK_W]};

            quaver_align #(
                .VALUE_FRACTION (PRODUCT_W - 2),
                .FRACTION_BITS  (FRACTION_BITS),
                .DISTANCE_W     (NEAR_W)
            ) u_align (
                .value_i    (significand_1[PRODUCT_W*lane +: PRODUCT_W]),
                .negative_i (negative_1[lane]),
                .distance_i (near - own),
                .term_o     (terms[TERM_W*lane +: TERM_W])
            );
        end
    endgenerate

    // ---- Add --------------------------------------------------------------------

    wire [PRODUCTS_W-1:0] products;
    wire                  carry;
    wire [SUM_W-1:0]      sum;
    wire                  last_carry;

    quaver_sum_tree #(
        .COUNT (LANES),
        .WIDTH (TERM_W)
    ) u_sum (
        .words_i   (terms),
        .carries_i (negative_1),
        .sum_o     (products),
        .carry_o   (carry)
    );

    generate
        if (ADDEND != 0) begin : gen_addend
            wire [10:0]       distance = rank_1 - addend_rank_1;
            wire [TERM_W-1:0] term;

            quaver_align #(
                .VALUE_FRACTION (23),
                .FRACTION_BITS  (FRACTION_BITS),
                .DISTANCE_W     (9)
            ) u_align (
                .value_i    ({1'b0, addend_significand_1}),
                .negative_i (addend_negative_1),
                .distance_i (distance[8:0]),
                .term_o     (term)
            );

            // The lowest bit only makes the carry in.
            wire [SUM_W:0] total = {products[PRODUCTS_W-1], products, 1'b1}
                                 + {{SUM_W-TERM_W{term[TERM_W-1]}}, term, carry};

            assign sum        = total[SUM_W:1];
            assign last_carry = addend_negative_1;

            wire unused = &{1'b0, distance[10:9], total[0]};
        end else begin : gen_no_addend
            assign sum        = products;
            assign last_carry = carry;

            wire unused = &{1'b0, addend_rank_1, addend_negative_1, addend_significand_1};
        end
    endgenerate

    wire signed [10:0] exponent = rank_1 + RANK_BASE[10:0];

    quaver_stage #(.WIDTH(11 + SUM_W), .REGISTERED(CUT_SUM)) u_total (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({exponent[9:0], sum, last_carry}),
        .q_o      ({exponent_o, sum_o, carry_o})
    );

    wire unused = &{1'b0, exponent[10], rank_1};
endmodule

`default_nettype wire
