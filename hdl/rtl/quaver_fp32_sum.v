// The one FP32 adder: base + addend, rounded to nearest, ties to even.
// quaver_fp32_accumulate and quaver_fp32_add give it their addends.
//
//   base_i                 FP32
//   pass_i                 there is no addend: sum_o is base_i, bit for bit
//   addend_nan_i, _inf_i   the addend is nan, infinite (with addend_sign_i)
//   addend_present_i       0: the addend is a zero whose exponent means nothing
//   addend_exponent_i      biased by 127; 1 to 254, 1 for a subnormal
//   addend_significand_i   1 integer bit and ADDEND_W-1 fraction bits
//   sum_o                  FP32, LATENCY enabled clocks later (1 to 5, the
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
    parameter integer ADDEND_W = 24,
    parameter integer LATENCY  = 1
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
    input  wire [ADDEND_W-1:0]   addend_significand_i,
    output wire [31:0]           sum_o
);
    generate
        if (ADDEND_W < 2 || ADDEND_W > 24) begin : gen_illegal_addend_w
            quaver_illegal_parameter addend_w_must_be_2_to_24 ();
        end
        if (LATENCY < 1 || LATENCY > 5) begin : gen_illegal_latency
            quaver_illegal_parameter latency_must_be_1_to_5 ();
        end
    endgenerate

    // Where the registers are. The first and third parts are the longest.
    localparam integer CUT_ORDER     = (LATENCY >= 3) ? 1 : 0;
    localparam integer CUT_ALIGN     = (LATENCY == 2 || LATENCY >= 4) ? 1 : 0;
    localparam integer CUT_ADD       = (LATENCY >= 3) ? 1 : 0;
    localparam integer CUT_NORMALISE = (LATENCY >= 5) ? 1 : 0;

    // ---- Order: whose exponent is larger, and by how much ---------------------

    wire                base_sign        = base_i[31];
    wire [7:0]          base_field       = base_i[30:23];
    wire                base_hidden      = |base_field;
    wire [23:0]         base_significand = {base_hidden, base_i[22:0]};
    wire [7:0]          base_exponent    = {base_field[7:1], base_field[0] || !base_hidden};
    wire                base_nonzero     = base_hidden || (|base_i[22:0]);
    wire                base_top         = &base_field;
    wire                base_nan         = base_top && (|base_i[22:0]);
    wire                base_inf         = base_top && !(|base_i[22:0]);

    wire [ADDEND_W-1:0] addend   = pass_i ? {ADDEND_W{1'b0}} : addend_significand_i;
    wire                add_inf  = addend_inf_i && !pass_i;
    wire                subtract = (base_sign ^ addend_sign_i) && !pass_i;

    wire nan = !pass_i && (addend_nan_i || base_nan || (base_inf && addend_inf_i && subtract));
    wire inf = !pass_i && (addend_inf_i || base_inf);

    // lead = addend exponent - base exponent, in two's complement. swap: the
    // base is the one that moves, by lead >= 0. Otherwise the addend moves, by
    // -lead = ~lead + 1, of which the 1 is wired in where it is aligned.
    wire [8:0] lead     = {1'b0, addend_exponent_i} - {1'b0, base_exponent};
    wire       swap     = !lead[8] && addend_present_i && !pass_i;
    wire [7:0] distance = lead[7:0] ^ {8{!swap}};
    wire       far      = |distance[7:5];

    // With equal exponents the significands decide who is subtracted from whom,
    // so that the difference is never negative. The base's bits below the
    // addend's can only make it larger: they need not be compared.
    wire tie       = swap && distance == 8'd0;
    wire base_wins = tie && base_significand[23 -: ADDEND_W] >= addend;

    wire       sign     = ((swap && !base_wins) || add_inf) ? addend_sign_i : base_sign;
    wire [7:0] exponent = swap ? addend_exponent_i : base_exponent;
    // Opposite signs and a sum of 0: +0, whatever sign says.
    wire       cancels  = subtract && !add_inf;
    wire       movable  = swap ? base_nonzero : |addend;

    wire                nan_1, inf_1, sign_1, cancels_1, swap_1, far_1, movable_1;
    wire                subtract_1, base_wins_1;
    wire [7:0]          exponent_1;
    wire [4:0]          distance_1;
    wire [23:0]         base_1;
    wire [ADDEND_W-1:0] addend_1;

    quaver_stage #(.WIDTH(46 + ADDEND_W), .REGISTERED(CUT_ORDER)) u_order (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan, inf, sign, cancels, swap, far, movable, subtract, base_wins,
                    exponent, distance[4:0], base_significand, addend}),
        .q_o      ({nan_1, inf_1, sign_1, cancels_1, swap_1, far_1, movable_1, subtract_1, base_wins_1,
                    exponent_1, distance_1, base_1, addend_1})
    );

    // ---- Align ----------------------------------------------------------------

    // The window: 24 bits of significand, guard bit, round bit.
    wire [25:0] base_window   = {base_1, 2'b00};
    wire [25:0] addend_window = {addend_1, {(26-ADDEND_W){1'b0}}};
    wire [25:0] staying       = swap_1 ? addend_window : base_window;
    wire [25:0] moving        = swap_1 ? base_window : addend_window >> 1;
    wire [25:0] moved;
    wire        sticky;

    quaver_shift_right #(.WIDTH(26), .AMOUNT_W(5)) u_shift (
        .value_i   (moving),
        .amount_i  (distance_1),
        .far_i     (far_1),
        .nonzero_i (movable_1),
        .value_o   (moved),
        .sticky_o  (sticky)
    );

    // One of the two is inverted to subtract. The moved one has lost bits only
    // where it is the smaller: what is lost then takes the place of the 1 that
    // completes the two's complement.
    wire [26:0] left     = {1'b0, staying} ^ {27{subtract_1 && base_wins_1}};
    wire [26:0] right    = {1'b0, moved} ^ {27{subtract_1 && !base_wins_1}};
    wire        carry_in = subtract_1 && !sticky;

    wire        nan_2, inf_2, sign_2, cancels_2, carry_in_2, sticky_2;
    wire [7:0]  exponent_2;
    wire [26:0] left_2, right_2;

    quaver_stage #(.WIDTH(68), .REGISTERED(CUT_ALIGN)) u_align (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_1, inf_1, sign_1, cancels_1, carry_in, sticky, exponent_1, left, right}),
        .q_o      ({nan_2, inf_2, sign_2, cancels_2, carry_in_2, sticky_2, exponent_2, left_2, right_2})
    );

    // ---- Add, and the first step of normalising -------------------------------

    // The lowest bit only makes the carry in, in one carry chain.
    wire [27:0] total   = {left_2, 1'b1} + {right_2, carry_in_2};
    wire        zero    = total[27:1] == 27'd0;

    // total[27] weighs 2^(exponent + 1). Shifting out n zeros leaves an exponent
    // field of exponent + 1 - n, which is 1 or more while n <= exponent.
    wire        shift_16, room_16;
    wire [26:0] value_16;

    quaver_normalise_step #(.WIDTH(27), .STEP(16)) u_step_16 (
        .value_i (total[27:1]),
        .limit_i (exponent_2[4]),
        .room_i  (|exponent_2[7:5]),
        .value_o (value_16),
        .shift_o (shift_16),
        .room_o  (room_16)
    );

    // Larger than any finite number before it is rounded: the top binade and a carry.
    wire overflow = total[27] && exponent_2 == 8'd254;

    wire        nan_3, inf_3, sign_3, zero_3, sticky_3, shift_16_3, room_16_3;
    wire [7:0]  exponent_3;
    wire [26:0] value_16_3;

    quaver_stage #(.WIDTH(42), .REGISTERED(CUT_ADD)) u_add (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_2, inf_2 || overflow, sign_2 && !(zero && cancels_2), zero, sticky_2,
                    shift_16, room_16, exponent_2, value_16}),
        .q_o      ({nan_3, inf_3, sign_3, zero_3, sticky_3,
                    shift_16_3, room_16_3, exponent_3, value_16_3})
    );

    // ---- Normalise ------------------------------------------------------------

    wire        shift_8, shift_4, shift_2;
    wire        room_8, room_4, room_2;
    wire [26:0] value_8, value_4, value_2;

    quaver_normalise_step #(.WIDTH(27), .STEP(8)) u_step_8 (
        .value_i (value_16_3),
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
    quaver_normalise_step #(.WIDTH(27), .STEP(2)) u_step_2 (
        .value_i (value_4),
        .limit_i (exponent_3[1]),
        .room_i  (room_4),
        .value_o (value_2),
        .shift_o (shift_2),
        .room_o  (room_2)
    );

    wire        nan_4, inf_4, sign_4, zero_4, sticky_4, room_2_4;
    wire [3:0]  shifts_4;
    wire [7:0]  exponent_4;
    wire [26:0] value_2_4;

    quaver_stage #(.WIDTH(45), .REGISTERED(CUT_NORMALISE)) u_normalise (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_3, inf_3, sign_3, zero_3, sticky_3, room_2,
                    shift_16_3, shift_8, shift_4, shift_2, exponent_3, value_2}),
        .q_o      ({nan_4, inf_4, sign_4, zero_4, sticky_4, room_2_4,
                    shifts_4, exponent_4, value_2_4})
    );

    // ---- The last step, and round ---------------------------------------------

    wire        shift_1, room_1;
    wire [26:0] value;

    quaver_normalise_step #(.WIDTH(27), .STEP(1)) u_step_1 (
        .value_i (value_2_4),
        .limit_i (exponent_4[0]),
        .room_i  (room_2_4),
        .value_o (value),
        .shift_o (shift_1),
        .room_o  (room_1)
    );

    // exponent + 1 - n is the field of a normal result; its 1 is the hidden bit.
    wire [7:0]  field_base = exponent_4 - {3'd0, shifts_4, shift_1};
    wire [31:0] sum;

    quaver_fp32_round u_round (
        .nan_i         (nan_4),
        .inf_i         (inf_4),
        .sign_i        (sign_4),
        .exponent_i    (zero_4 ? 8'd0 : field_base),
        .significand_i (value[26:3]),
        .round_i       (value[2]),
        .sticky_i      (value[1] || value[0] || sticky_4),
        .code_o        (sum)
    );

    quaver_stage #(.WIDTH(32), .REGISTERED(1)) u_sum (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      (sum),
        .q_o      (sum_o)
    );

    wire unused = &{1'b0, total[0], room_1};
endmodule

`default_nettype wire
