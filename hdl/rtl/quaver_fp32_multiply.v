// a * b in FP32, rounded to nearest, ties to even.
//
//   a_i, b_i    FP32, any codes
//   product_o   FP32, LATENCY enabled clocks later (1 to 4, the output register
//               included)
//
// Any nan, and Inf * 0, give 7FC00000. Subnormals are kept on all sides.
// (IEEE 754-2019 sections 4.3.1, 5.4.1, 6.2, 6.3, 7.2, 7.4, 7.5)
//
// Only one operand is ever normalised: the product of two subnormals is so far
// below the smallest subnormal that it rounds to zero however it is aligned.
`default_nettype none

module quaver_fp32_multiply #(
    parameter integer LATENCY = 1
) (
    input  wire          clk_i,
    input  wire          rst_ni,
    input  wire          enable_i,
    input  wire [31:0]   a_i,
    input  wire [31:0]   b_i,
    output wire [31:0]   product_o
);
    generate
        if (LATENCY < 1 || LATENCY > 4) begin : gen_illegal_latency
            quaver_illegal_parameter latency_must_be_1_to_4 ();
        end
    endgenerate

    localparam integer CUT_OPERANDS = (LATENCY >= 3) ? 1 : 0;
    localparam integer CUT_MULTIPLY = (LATENCY >= 2) ? 1 : 0;
    localparam integer CUT_ALIGN    = (LATENCY >= 4) ? 1 : 0;

    // ---- Operands -------------------------------------------------------------

    wire        a_hidden = |a_i[30:23];
    wire        b_hidden = |b_i[30:23];
    wire        a_rest   = |a_i[22:0];
    wire        b_rest   = |b_i[22:0];
    wire        a_top    = &a_i[30:23];
    wire        b_top    = &b_i[30:23];
    wire        a_zero   = !a_hidden && !a_rest;
    wire        b_zero   = !b_hidden && !b_rest;
    wire        a_inf    = a_top && !a_rest;
    wire        b_inf    = b_top && !b_rest;

    wire nan  = (a_top && a_rest) || (b_top && b_rest) || (a_inf && b_zero) || (a_zero && b_inf);
    wire inf  = a_inf || b_inf;
    wire zero = a_zero || b_zero;
    wire sign = a_i[31] ^ b_i[31];

    wire [23:0] a_significand = {a_hidden, a_i[22:0]};
    wire [23:0] b_significand = {b_hidden, b_i[22:0]};
    wire [23:0] ready         = a_hidden ? a_significand : b_significand;
    wire [23:0] unready       = a_hidden ? b_significand : a_significand;

    // Steps are taken without a limit: what goes below the normal range is
    // moved back after the multiplication.
    wire [4:0]  shifts;
    wire [4:0]  rooms;
    wire [23:0] value_16, value_8, value_4, value_2, normalised;

    quaver_normalise_step #(.WIDTH(24), .STEP(16)) u_step_16 (
        .value_i (unready),    .limit_i (1'b1),        .room_i  (1'b1),
        .value_o (value_16),   .shift_o (shifts[4]),   .room_o  (rooms[4])
    );
    quaver_normalise_step #(.WIDTH(24), .STEP(8)) u_step_8 (
        .value_i (value_16),   .limit_i (1'b1),        .room_i  (1'b1),
        .value_o (value_8),    .shift_o (shifts[3]),   .room_o  (rooms[3])
    );
    quaver_normalise_step #(.WIDTH(24), .STEP(4)) u_step_4 (
        .value_i (value_8),    .limit_i (1'b1),        .room_i  (1'b1),
        .value_o (value_4),    .shift_o (shifts[2]),   .room_o  (rooms[2])
    );
    quaver_normalise_step #(.WIDTH(24), .STEP(2)) u_step_2 (
        .value_i (value_4),    .limit_i (1'b1),        .room_i  (1'b1),
        .value_o (value_2),    .shift_o (shifts[1]),   .room_o  (rooms[1])
    );
    quaver_normalise_step #(.WIDTH(24), .STEP(1)) u_step_1 (
        .value_i (value_2),    .limit_i (1'b1),        .room_i  (1'b1),
        .value_o (normalised), .shift_o (shifts[0]),   .room_o  (rooms[0])
    );

    // The field of the product's exponent, less 1, if the product is in [1, 2);
    // signed, -157 to 380. Field 0 has the exponent of field 1.
    wire [8:0]        field_sum = {1'b0, a_i[30:24], a_i[23] || !a_hidden}
                                + {1'b0, b_i[30:24], b_i[23] || !b_hidden};
    wire signed [9:0] exponent  = {1'b0, field_sum} - 10'd128 - {5'd0, shifts};

    wire               nan_1, inf_1, zero_1, sign_1;
    wire signed [9:0]  exponent_1;
    wire [23:0]        ready_1, normalised_1;

    quaver_stage #(.WIDTH(62), .REGISTERED(CUT_OPERANDS)) u_operands (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan, inf, zero, sign, exponent, ready, normalised}),
        .q_o      ({nan_1, inf_1, zero_1, sign_1, exponent_1, ready_1, normalised_1})
    );

    // ---- Multiply -------------------------------------------------------------

    wire [47:0]        product = ready_1 * normalised_1;

    wire               nan_2, inf_2, zero_2, sign_2;
    wire signed [9:0]  exponent_2;
    wire [47:0]        product_2;

    quaver_stage #(.WIDTH(62), .REGISTERED(CUT_MULTIPLY)) u_multiply (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_1, inf_1, zero_1, sign_1, exponent_1, product}),
        .q_o      ({nan_2, inf_2, zero_2, sign_2, exponent_2, product_2})
    );

    // ---- Align ----------------------------------------------------------------

    // 24 bits of significand, the round bit, and the bits below it.
    wire               carry    = product_2[47];
    wire [47:0]        aligned  = carry ? product_2 : product_2 << 1;
    wire signed [9:0]  base     = exponent_2 + $signed({9'd0, carry});
    wire               tiny     = base[9];
    wire [9:0]         depth    = -base;
    wire               overflow = !tiny && base[8:0] >= 9'd254;

    wire [24:0]        window;
    wire               lost;

    quaver_shift_right #(.WIDTH(25), .AMOUNT_W(5)) u_shift (
        .value_i   (aligned[47:23]),
        .amount_i  (tiny ? depth[4:0] : 5'd0),
        .far_i     (tiny && (|depth[9:5])),
        .nonzero_i (!zero_2),
        .value_o   (window),
        .sticky_o  (lost)
    );

    wire               nan_3, inf_3, sign_3, sticky_3;
    wire [7:0]         base_3;
    wire [24:0]        window_3;

    quaver_stage #(.WIDTH(37), .REGISTERED(CUT_ALIGN)) u_align (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_2, inf_2 || overflow, sign_2, lost || (|aligned[22:0]),
                    (tiny || zero_2) ? 8'd0 : base[7:0], window}),
        .q_o      ({nan_3, inf_3, sign_3, sticky_3, base_3, window_3})
    );

    // ---- Round ----------------------------------------------------------------

    wire [31:0] rounded;

    quaver_fp32_round u_round (
        .nan_i      (nan_3),
        .inf_i      (inf_3),
        .sign_i     (sign_3),
        .exponent_i (base_3),
        .carry_i    (window_3[24]),
        .fraction_i (window_3[23:1]),
        .round_i    (window_3[0]),
        .sticky_i   (sticky_3),
        .code_o     (rounded)
    );

    quaver_stage #(.WIDTH(32), .REGISTERED(1)) u_product (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      (rounded),
        .q_o      (product_o)
    );

    wire unused = &{1'b0, rooms};
endmodule

`default_nettype wire
