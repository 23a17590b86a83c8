// The one FP32 adder: base + addend, rounded to nearest, ties to even, or with
// TOWARD_ZERO toward zero (what overflows is then the largest finite number).
// quaver_fp32_accumulate and quaver_fp32_add give it their addends.
//
//   base_i                 FP32
//   pass_i                 there is no addend: sum_o is base_i, bit for bit
//   addend_nan_i, _inf_i   the addend is nan, infinite (with addend_sign_i)
//   addend_present_i       0: the addend is a zero whose exponent means nothing
//   addend_exponent_i,     biased by 127: addend_exponent_i - 1 + addend_carry_i, in
//   addend_carry_i         1 to 254, 1 for a subnormal. Apart, because a product
//                          knows late whether its significand is in [2, 4).
//                          Of nan and inf they mean nothing.
//   addend_significand_i   1 integer bit and ADDEND_W-1 fraction bits
//   sum_o                  FP32, LATENCY enabled clocks later (0 to 5, the
//                          output register included)
//
// Any nan, and Inf - Inf, give 7FC00000. Subnormals are kept on all sides. An
// exact cancellation is +0; zeros of one sign keep it.
// (IEEE 754-2019 sections 4.3.1, 6.2, 6.3, 7.2, 7.4)
//
// The larger exponent stays where it is, the other significand moves right, the
// two are added, and the sum is normalised and rounded. A window of 24 bits with
// a guard bit, a round bit and a sticky flag keeps enough for every rounding.
`default_nettype none

module quaver_fp32_sum #(
    parameter integer ADDEND_W    = 24,
    parameter integer LATENCY     = 1,
    parameter integer TOWARD_ZERO = 0
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,
    input  wire                  enable_i,
    input  wire [31:0]           base_i,
    input  wire                  pass_i,
    input  wire                  addend_nan_i,
    input  wire                  addend_inf_i,
    input  wire                  addend_present_i,
    input  wire                  addend_sign_i,
    input  wire [7:0]            addend_exponent_i,
    input  wire                  addend_carry_i,
    input  wire [ADDEND_W-1:0]   addend_significand_i,
    output wire [31:0]           sum_o
);
    generate
        if (ADDEND_W < 2 || ADDEND_W > 24) begin : gen_illegal_addend_w
            quaver_illegal_parameter addend_w_must_be_2_to_24 ();
        end
        if (LATENCY < 0 || LATENCY > 5) begin : gen_illegal_latency
            quaver_illegal_parameter latency_must_be_0_to_5 ();
        end
    endgenerate

    // Which of the four cuts are registers. All four leave parts of about equal
    // delay; fewer are placed so that the longest part is short.
    localparam integer CUT_ORDER     = (LATENCY >= 4) ? 1 : 0;
    localparam integer CUT_ALIGN     = (LATENCY == 3 || LATENCY == 5) ? 1 : 0;
    localparam integer CUT_ADD       = (LATENCY == 2 || LATENCY >= 4) ? 1 : 0;
    localparam integer CUT_NORMALISE = (LATENCY >= 3) ? 1 : 0;

    // ---- Order: whose exponent is larger --------------------------------------

    wire                base_field_zero  = !(|base_i[30:23]);
    wire                base_top         = &base_i[30:23];
    wire                base_rest        = |base_i[22:0];
    wire                base_nan         = base_top && base_rest;
    wire                base_inf         = base_top && !base_rest;
    wire                base_nonzero     = !base_field_zero || base_rest;
    wire [7:0]          base_exponent    = {base_i[30:24], base_i[23] || base_field_zero};
    wire [23:0]         base_significand = {!base_field_zero, base_i[22:0]};

    wire [ADDEND_W-1:0] addend   = pass_i ? {ADDEND_W{1'b0}} : addend_significand_i;
    wire                add_inf  = addend_inf_i && !pass_i;
    wire                subtract = (base_i[31] ^ addend_sign_i) && !pass_i;
    // Opposite signs and a sum of 0: +0, whatever the operands' signs.
    wire                cancels  = subtract && !add_inf;

    wire nan = !pass_i && (addend_nan_i || base_nan || (base_inf && addend_inf_i && subtract));
    wire inf = !pass_i && (addend_inf_i || base_inf);

    // lead = addend exponent - base exponent, in two's complement; the lowest bit
    // makes the borrow.
    wire [9:0] lead_borrow     = {1'b0, addend_exponent_i, addend_carry_i} - {1'b0, base_exponent, 1'b1};
    wire [7:0] addend_exponent = addend_exponent_i - {7'd0, !addend_carry_i};
    wire       present         = addend_present_i && !pass_i;

    wire                nan_1, inf_1, cancels_1, subtract_1, base_sign_1, addend_sign_1;
    wire                base_nonzero_1, present_1;
    wire [8:0]          lead_1;
    wire [7:0]          base_exponent_1, addend_exponent_1;
    wire [23:0]         base_1;
    wire [ADDEND_W-1:0] addend_1;

    quaver_stage #(.WIDTH(57 + ADDEND_W), .REGISTERED(CUT_ORDER)) u_order (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan, inf, cancels, subtract, add_inf ? addend_sign_i : base_i[31], addend_sign_i,
                    base_nonzero, present, lead_borrow[9:1],
                    base_exponent, addend_exponent, base_significand, addend}),
        .q_o      ({nan_1, inf_1, cancels_1, subtract_1, base_sign_1, addend_sign_1,
                    base_nonzero_1, present_1, lead_1,
                    base_exponent_1, addend_exponent_1, base_1, addend_1})
    );

    // ---- Align: steps of 16, 8 and 4 ------------------------------------------

    // swap: the base is the one that moves, by lead >= 0. Otherwise the addend
    // moves, by -lead = ~lead + 1: the inversion is here, the 1 is wired in below.
    wire       swap      = !lead_1[8] && present_1;
    wire [7:0] distance  = lead_1[7:0] ^ {8{!swap}};

    // With equal exponents the significands decide who is subtracted from whom,
    // so that the difference is never negative. The base's bits below the
    // addend's can only make it larger: they need not be compared.
    wire       base_wins = swap && lead_1[7:0] == 8'd0 && base_1[23 -: ADDEND_W] >= addend_1;

    wire       sign      = (swap && !base_wins) ? addend_sign_1 : base_sign_1;
    wire [7:0] exponent  = swap ? addend_exponent_1 : base_exponent_1;

    // The window: 24 bits of significand, guard bit, round bit.
    wire [23:0] addend_window = {addend_1, {(24-ADDEND_W){1'b0}}};
    wire [23:0] staying       = swap ? addend_window : base_1;
    wire [25:0] moving        = swap ? {base_1, 2'b00} : {1'b0, addend_window, 1'b0};
    wire [25:0] moved_coarse;
    wire        lost_coarse;

    quaver_shift_right #(.WIDTH(26), .AMOUNT_W(5)) u_shift_coarse (
        .value_i   (moving),
        .amount_i  ({distance[4:2], 2'b00}),
        .far_i     (|distance[7:5]),
        .nonzero_i (swap ? base_nonzero_1 : |addend_1),
        .value_o   (moved_coarse),
        .sticky_o  (lost_coarse)
    );

    wire        nan_2, inf_2, cancels_2, sign_2, invert_staying_2, invert_moved_2, lost_coarse_2;
    wire [1:0]  distance_2;
    wire [7:0]  exponent_2;
    wire [23:0] staying_2;
    wire [25:0] moved_coarse_2;

    quaver_stage #(.WIDTH(67), .REGISTERED(CUT_ALIGN)) u_align (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_1, inf_1, cancels_1, sign, subtract_1 && base_wins, subtract_1 && !base_wins, lost_coarse,
                    distance[1:0], exponent, staying, moved_coarse}),
        .q_o      ({nan_2, inf_2, cancels_2, sign_2, invert_staying_2, invert_moved_2, lost_coarse_2,
                    distance_2, exponent_2, staying_2, moved_coarse_2})
    );

    // ---- Align: the last steps, and add ---------------------------------------

    wire [25:0] moved;
    wire        lost_fine;

    quaver_shift_right #(.WIDTH(26), .AMOUNT_W(2)) u_shift_fine (
        .value_i   (moved_coarse_2),
        .amount_i  (distance_2),
        .far_i     (1'b0),
        .nonzero_i (1'b0),
        .value_o   (moved),
        .sticky_o  (lost_fine)
    );

    wire        sticky = lost_coarse_2 || lost_fine;

    // One of the two is inverted to subtract. The moved one has lost bits only
    // where it is the smaller: what is lost then takes the place of the 1 that
    // completes the two's complement.
    wire [26:0] left     = {1'b0, staying_2, 2'b00} ^ {27{invert_staying_2}};
    wire [26:0] right    = {1'b0, moved} ^ {27{invert_moved_2}};
    wire        carry_in = (invert_staying_2 || invert_moved_2) && !sticky;

    // The lowest bit only makes the carry in, in one carry chain.
    wire [27:0] total    = {left, 1'b1} + {right, carry_in};

    // Larger than any finite number before it is rounded: the top binade and a carry.
    wire        overflow = total[27] && exponent_2 == 8'd254;
    // Both flags together: the largest finite number (see quaver_fp32_round).
    wire        largest  = TOWARD_ZERO != 0 && overflow && !nan_2 && !inf_2;
    wire        infinite = inf_2 && !(TOWARD_ZERO != 0 && nan_2);

    // The top bit weighs 2^(exponent + 1). Shifting out n zeros leaves an exponent
    // field of exponent + 1 - n, which is 1 or more while n <= exponent.
    // Whether the first step is taken is known here; it is taken after the cut.
    wire        shift_16, room_16;
    wire [26:0] value_16_early;

    quaver_normalise_step #(.WIDTH(27), .STEP(16)) u_step_16 (
        .value_i (total[27:1]),
        .limit_i (exponent_2[4]),
        .room_i  (|exponent_2[7:5]),
        .value_o (value_16_early),
        .shift_o (shift_16),
        .room_o  (room_16)
    );

    wire        nan_3, inf_3, cancels_3, sign_3, sticky_3, shift_16_3, room_16_3;
    wire [7:0]  exponent_3;
    wire [26:0] total_3;

    quaver_stage #(.WIDTH(42), .REGISTERED(CUT_ADD)) u_add (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_2 || largest, infinite || (overflow && (TOWARD_ZERO == 0 || largest)), cancels_2, sign_2, sticky, shift_16, room_16,
                    exponent_2, total[27:1]}),
        .q_o      ({nan_3, inf_3, cancels_3, sign_3, sticky_3, shift_16_3, room_16_3,
                    exponent_3, total_3})
    );

    // ---- Normalise: steps of 16, 8 and 4 --------------------------------------

    wire        shift_8, shift_4;
    wire        room_8, room_4;
    wire [26:0] value_16 = shift_16_3 ? total_3 << 16 : total_3;
    wire [26:0] value_8, value_4;

    quaver_normalise_step #(.WIDTH(27), .STEP(8)) u_step_8 (
        .value_i (value_16),
        .limit_i (exponent_3[3]),
        .room_i  (room_16_3),
        .value_o (value_8),
        .shift_o (shift_8),
        .room_o  (room_8)
    );
    quaver_normalise_step #(.WIDTH(27), .STEP(4)) u_step_4 (
        .value_i (value_8),
        .limit_i (exponent_3[2]),
        .room_i  (room_8),
        .value_o (value_4),
        .shift_o (shift_4),
        .room_o  (room_4)
    );

    wire        zero = total_3 == 27'd0;

    wire        nan_4, inf_4, sign_4, sticky_4, room_4_4;
    wire [2:0]  shifts_4;
    wire [7:0]  exponent_4;
    wire [26:0] value_4_4;

    quaver_stage #(.WIDTH(43), .REGISTERED(CUT_NORMALISE)) u_normalise (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_3, inf_3, sign_3 && !(zero && cancels_3), sticky_3, room_4,
                    shift_16_3, shift_8, shift_4, exponent_3, value_4}),
        .q_o      ({nan_4, inf_4, sign_4, sticky_4, room_4_4,
                    shifts_4, exponent_4, value_4_4})
    );

    // ---- Normalise: the last steps, and round ---------------------------------

    wire        shift_2, shift_1;
    wire        room_2, room_1;
    wire [26:0] value_2, value_1;

    quaver_normalise_step #(.WIDTH(27), .STEP(2)) u_step_2 (
        .value_i (value_4_4),
        .limit_i (exponent_4[1]),
        .room_i  (room_4_4),
        .value_o (value_2),
        .shift_o (shift_2),
        .room_o  (room_2)
    );
    quaver_normalise_step #(.WIDTH(27), .STEP(1)) u_step_1 (
        .value_i (value_2),
        .limit_i (exponent_4[0]),
        .room_i  (room_2),
        .value_o (value_1),
        .shift_o (shift_1),
        .room_o  (room_1)
    );

    // With y = exponent less the steps down to 2, the exponent field is y + 1 if
    // the top bit is set now; y if the last step sets it; 0 if no bit is left to
    // do so, or if the limit forbids it, and then y is 0. So the last step need
    // not be waited for.
    wire [7:0]  y    = exponent_4 - {3'd0, shifts_4, shift_2, 1'b0};
    wire        some = value_2[26] || value_2[25];
    wire [31:0] sum;

    quaver_fp32_round #(
        .TOWARD_ZERO (TOWARD_ZERO)
    ) u_round (
        .nan_i      (nan_4),
        .inf_i      (inf_4),
        .sign_i     (sign_4),
        .exponent_i (some ? y : 8'd0),
        .carry_i    (value_2[26]),
        .fraction_i (value_1[25:3]),
        .round_i    (value_1[2] && TOWARD_ZERO == 0),
        .sticky_i   (value_1[1] || value_1[0] || sticky_4),
        .code_o     (sum)
    );

    quaver_stage #(.WIDTH(32), .REGISTERED((LATENCY >= 1) ? 1 : 0)) u_sum (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      (sum),
        .q_o      (sum_o)
    );

    wire unused = &{1'b0, lead_borrow[0], total[0], value_16_early, value_1[26], shift_1, room_1};
endmodule

`default_nettype wire
