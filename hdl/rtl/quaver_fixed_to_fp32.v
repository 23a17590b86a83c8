// A fixed-point number to FP32, with one rounding.
//
//   value_i, carry_i   value_i + carry_i, value_i in two's complement of WIDTH bits;
//                      its magnitude is below 2^(WIDTH-1)
//   field_i            bit WIDTH-2 of it weighs 2^(field_i - 127); signed. Only of
//                      zero may it be below 1.
//   nan_i, inf_i, sign_i   the result is NAN, or infinity with sign_i, whatever value_i is
//   code_o             FP32, LATENCY enabled clocks later (0 to 2)
//
//   OUTPUT_BITS   0: to nearest, ties to even. 1 to 23: as many fraction bits are
//                 kept at the number's own exponent, then those of FP32's
//                 subnormals; toward zero (numerics.md, rule 4.3, step 5)
//   FLUSH         a subnormal result is zero
//
// Beyond FP32's range the result is infinity. A zero result is +0.
`default_nettype none

module quaver_fixed_to_fp32 #(
    parameter integer WIDTH       = 32,
    parameter integer OUTPUT_BITS = 0,
    parameter integer FLUSH       = 0,
    parameter [31:0]  NAN         = 32'h7FC0_0000,
    parameter integer LATENCY     = 1
) (
    input  wire                clk_i,
    input  wire                rst_ni,
    input  wire                enable_i,
    input  wire [WIDTH-1:0]    value_i,
    input  wire                carry_i,
    input  wire [9:0]          field_i,
    input  wire                nan_i,
    input  wire                inf_i,
    input  wire                sign_i,
    output wire [31:0]         code_o
);
    generate
        if (WIDTH < 3 || WIDTH > 257) begin : gen_illegal_width
            quaver_illegal_parameter width_must_be_3_to_257 ();
        end
        if (OUTPUT_BITS < 0 || OUTPUT_BITS > 23) begin : gen_illegal_output_bits
            quaver_illegal_parameter output_bits_must_be_0_to_23 ();
        end
        if (LATENCY < 0 || LATENCY > 2) begin : gen_illegal_latency
            quaver_illegal_parameter latency_must_be_0_to_2 ();
        end
    endgenerate

    localparam integer CUT_NORMALISE = (LATENCY >= 2) ? 1 : 0;
    localparam integer CUT_ROUND     = (LATENCY >= 1) ? 1 : 0;

    localparam integer MAGNITUDE_W = WIDTH - 1;
    localparam integer STEPS       = $clog2(MAGNITUDE_W);
    // A significand, a round bit and at least one below.
    localparam integer WINDOW_W    = (MAGNITUDE_W > 26) ? MAGNITUDE_W : 26;
    localparam integer BELOW_W     = WINDOW_W - 25;

    // ---- Magnitude: of -x - 1, with carry, it is x --------------------------------

    wire                     negative  = value_i[WIDTH-1];
    wire [MAGNITUDE_W-1:0]   magnitude = (value_i[WIDTH-2:0] ^ {MAGNITUDE_W{negative}})
                                       + {{MAGNITUDE_W-1{1'b0}}, negative ^ carry_i};

    // ---- Normalise, as far as the exponent allows ---------------------------------

    wire [9:0]       limit = field_i - 10'd1;
    wire [STEPS-1:0] shifts;
    wire             positive = !limit[9];

    genvar step;
    generate
        for (step = STEPS; step >= 0; step = step - 1) begin : gen_step
            wire [MAGNITUDE_W-1:0] value;
            wire                   room;

            if (step == STEPS) begin : gen_first
                assign value = magnitude;
                assign room  = positive && (|limit[8:STEPS]);
            end else begin : gen_next
                quaver_normalise_step #(
                    .WIDTH (MAGNITUDE_W),
                    .STEP  (1 << step)
                ) u_step (
                    .value_i (gen_step[step+1].value),
                    .limit_i (positive && limit[step]),
                    .room_i  (gen_step[step+1].room),
                    .value_o (value),
                    .shift_o (shifts[step]),
                    .room_o  (room)
                );
            end
        end
    endgenerate

    wire [MAGNITUDE_W-1:0] normalised = gen_step[0].value;
    wire                   top        = normalised[MAGNITUDE_W-1];
    // The exponent field is base + 1 if the top bit is set.
    wire [9:0]             base       = limit - {{10-STEPS{1'b0}}, shifts};
    wire                   overflow   = top && (base[8] || base[7:0] >= 8'd254);

    wire                   nan_1, inf_1, sign_1;
    wire [7:0]             base_1;
    wire [MAGNITUDE_W-1:0] normalised_1;

    quaver_stage #(.WIDTH(11 + MAGNITUDE_W), .REGISTERED(CUT_NORMALISE)) u_normalise (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan_i, inf_i || overflow, inf_i ? sign_i : negative, base[7:0], normalised}),
        .q_o      ({nan_1, inf_1, sign_1, base_1, normalised_1})
    );

    // ---- Round ----------------------------------------------------------------------

    wire [WINDOW_W-1:0] window = {normalised_1, {WINDOW_W-MAGNITUDE_W{1'b0}}};
    wire [23:0]         kept;

    generate
        // A bit is kept unless one is set more than OUTPUT_BITS places above it.
        for (step = 0; step < 24; step = step + 1) begin : gen_kept
            if (OUTPUT_BITS != 0 && step + OUTPUT_BITS < 23) begin : gen_low
                assign kept[step] = window[WINDOW_W-24+step]
                                 && !(|window[WINDOW_W-1 : WINDOW_W-24+step+OUTPUT_BITS+1]);
            end else begin : gen_high
                assign kept[step] = window[WINDOW_W-24+step];
            end
        end
    endgenerate

    wire [31:0] rounded;

    quaver_fp32_round #(
        .NAN (NAN)
    ) u_round (
        .nan_i      (nan_1),
        .inf_i      (inf_1),
        .sign_i     (sign_1),
        .exponent_i (kept[23] ? base_1 : 8'd0),
        .carry_i    (kept[23]),
        .fraction_i (kept[22:0]),
        .round_i    (OUTPUT_BITS == 0 && window[BELOW_W]),
        .sticky_i   (|window[BELOW_W-1:0]),
        .code_o     (rounded)
    );

    wire zero = rounded[30:23] == 8'd0 && (FLUSH != 0 || rounded[22:0] == 23'd0);

    quaver_stage #(.WIDTH(32), .REGISTERED(CUT_ROUND)) u_code (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      (zero ? 32'd0 : rounded),
        .q_o      (code_o)
    );

    wire unused = &{1'b0, base, gen_step[0].room};
endmodule

`default_nettype wire
