// value * 2^exponent in FP32, rounded to nearest, ties to even.
//
//   value_i      FP32, any code
//   nan_i        the power is no number: scaled_o is a nan
//   exponent_i   signed
//   scaled_o     FP32, LATENCY enabled clocks later (1 to 3, the output register
//                included)
//
// A nan gives 7FC00000; infinities and zeros keep their sign; subnormals are kept on
// both sides. (IEEE 754-2019 section 5.3.3, scaleB)
`default_nettype none

module quaver_fp32_scale #(
    parameter integer LATENCY = 3
) (
    input  wire               clk_i,
    input  wire               rst_ni,
    input  wire               enable_i,
    input  wire [31:0]        value_i,
    input  wire               nan_i,
    input  wire signed [9:0]  exponent_i,
    output wire [31:0]        scaled_o
);
    generate
        if (LATENCY < 1 || LATENCY > 3) begin : gen_illegal_latency
            quaver_illegal_parameter latency_must_be_1_to_3 ();
        end
    endgenerate

    localparam integer CUT_NORMALISE = (LATENCY >= 2) ? 1 : 0;
    localparam integer CUT_ALIGN     = (LATENCY >= 3) ? 1 : 0;

    // ---- Normalise ------------------------------------------------------------

    wire        hidden = |value_i[30:23];
    wire        rest   = |value_i[22:0];
    wire        top    = &value_i[30:23];

    // Steps are taken without a limit: what is below the normal range is moved back
    // when it is aligned.
    wire [4:0]  shifts;
    wire [4:0]  rooms;
    wire [23:0] value_16, value_8, value_4, value_2, normalised;

    quaver_normalise_step #(.WIDTH(24), .STEP(16)) u_step_16 (
        .value_i ({hidden, value_i[22:0]}), .limit_i (1'b1), .room_i (1'b1),
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

    // The field of the result's exponent, less 1; field 0 has the exponent of field 1.
    wire signed [10:0] exponent = {3'd0, value_i[30:24], value_i[23] || !hidden} - 11'd1
                                - {6'd0, shifts} + {exponent_i[9], exponent_i};

    wire               nan_1, inf_1, zero_1, sign_1;
    wire signed [10:0] exponent_1;
    wire [23:0]        normalised_1;

    quaver_stage #(.WIDTH(39), .REGISTERED(CUT_NORMALISE)) u_normalise (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_i || (top && rest), top && !rest, !hidden && !rest, value_i[31],
                    exponent, normalised}),
        .q_o      ({nan_1, inf_1, zero_1, sign_1, exponent_1, normalised_1})
    );

    // ---- Align ----------------------------------------------------------------

    wire               tiny     = exponent_1[10];
    wire [10:0]        depth    = -exponent_1;
    wire               overflow = !tiny && exponent_1[9:0] >= 10'd254;

    wire [24:0]        window;
    wire               lost;

    quaver_shift_right #(.WIDTH(25), .AMOUNT_W(5)) u_shift (
        .value_i   ({normalised_1, 1'b0}),
        .amount_i  (tiny ? depth[4:0] : 5'd0),
        .far_i     (tiny && (|depth[10:5])),
        .nonzero_i (!zero_1),
        .value_o   (window),
        .sticky_o  (lost)
    );

    wire               nan_2, inf_2, sign_2, sticky_2;
    wire [7:0]         base_2;
    wire [24:0]        window_2;

    quaver_stage #(.WIDTH(37), .REGISTERED(CUT_ALIGN)) u_align (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_1, inf_1 || (overflow && !zero_1), sign_1, lost,
                    (tiny || zero_1) ? 8'd0 : exponent_1[7:0], window}),
        .q_o      ({nan_2, inf_2, sign_2, sticky_2, base_2, window_2})
    );

    // ---- Round ----------------------------------------------------------------

    wire [31:0] rounded;

    quaver_fp32_round u_round (
        .nan_i      (nan_2),
        .inf_i      (inf_2),
        .sign_i     (sign_2),
        .exponent_i (base_2),
        .carry_i    (window_2[24]),
        .fraction_i (window_2[23:1]),
        .round_i    (window_2[0]),
        .sticky_i   (sticky_2),
        .code_o     (rounded)
    );

    quaver_stage #(.WIDTH(32), .REGISTERED(1)) u_scaled (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      (rounded),
        .q_o      (scaled_o)
    );

    wire unused = &{1'b0, rooms};
endmodule

`default_nettype wire
