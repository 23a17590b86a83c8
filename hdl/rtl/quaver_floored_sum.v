// The sum of a block plus FP32, both floored to a place below the larger exponent.
//
//   fixed_i      two's complement, SUM_W bits, FRACTION_BITS of them fraction, times
//                2^(exponent_i - 127); exponent_i is signed
//   addend_i     FP32, finite
//   sum_o        two's complement; its top two bits are above every sum's magnitude
//   field_o      bit SUM_O_W-2 of sum_o weighs 2^(field_o - 127); CUT_SUM enabled
//                clocks after the inputs
//
// The reference is the larger of exponent_i (unless fixed_i is 0) and the addend's;
// fixed_i keeps SUM_BITS fraction bits below it, the addend ADDEND_BITS, and nothing
// if it is more than ADDEND_BITS + 1 further down. (numerics.md, rule 4.3, step 6,
// LateFloored)
`default_nettype none

module quaver_floored_sum #(
    parameter integer SUM_W         = 31,
    parameter integer FRACTION_BITS = 24,
    parameter integer SUM_BITS      = 31,
    parameter integer ADDEND_BITS   = 24,
    parameter integer CUT_SUM       = 0,
    // Derived; leave it alone.
    parameter integer SUM_O_W       = SUM_W - FRACTION_BITS + SUM_BITS + 1
) (
    input  wire                 clk_i,
    input  wire                 rst_ni,
    input  wire                 enable_i,
    input  wire [SUM_W-1:0]     fixed_i,
    input  wire [9:0]           exponent_i,
    input  wire [31:0]          addend_i,
    output wire [SUM_O_W-1:0]   sum_o,
    output wire [9:0]           field_o
);
    generate
        if (SUM_BITS < FRACTION_BITS || SUM_BITS < ADDEND_BITS || SUM_W < FRACTION_BITS + 3) begin : gen_illegal
            quaver_illegal_parameter sum_bits_must_hold_fraction_bits_and_addend_bits ();
        end
    endgenerate

    localparam integer FIXED_W  = SUM_O_W - 1;
    // A sign bit, an integer bit, and what of the addend's fraction can be kept.
    localparam integer FRACTION = (ADDEND_BITS > 23) ? ADDEND_BITS : 23;
    localparam integer ADDEND_W = FRACTION + 2;
    localparam integer KEPT_W   = ADDEND_BITS + 2;
    localparam integer FIELD_UP = FIXED_W - 1 - SUM_BITS;

    wire        hidden         = |addend_i[30:23];
    wire        addend_nonzero = hidden || (|addend_i[22:0]);
    wire [10:0] addend_field   = {3'd0, addend_i[30:24], addend_i[23] || !hidden};
    wire [10:0] fixed_field    = {exponent_i[9], exponent_i};
    wire        fixed_nonzero  = |fixed_i;

    wire [10:0] lead         = addend_field - fixed_field;
    wire [10:0] lag          = fixed_field - addend_field;
    wire        addend_leads = addend_nonzero && (!fixed_nonzero || !lead[10]);
    wire [10:0] field        = addend_leads ? addend_field : fixed_field;

    wire [10:0] fixed_distance  = (addend_leads && fixed_nonzero) ? lead : 11'd0;
    wire [10:0] addend_distance = addend_leads ? 11'd0 : lag;

    localparam integer FIXED_AMOUNT_W  = $clog2(FIXED_W);
    localparam integer ADDEND_AMOUNT_W = $clog2(ADDEND_W);

    wire [FIXED_W-1:0]  fixed_moved;
    wire [ADDEND_W-1:0] addend_moved;
    wire                unused_fixed_lost, unused_addend_lost;

    wire [24:0] magnitude = {1'b0, hidden, addend_i[22:0]};
    wire [24:0] value     = (magnitude ^ {25{addend_i[31]}}) + {24'd0, addend_i[31]};
    wire        too_far   = {21'd0, addend_distance} > KEPT_W - 1;

    quaver_shift_right #(.WIDTH(FIXED_W), .AMOUNT_W(FIXED_AMOUNT_W), .SIGNED(1)) u_fixed (
        .value_i   ({fixed_i, {SUM_BITS-FRACTION_BITS{1'b0}}}),
        .amount_i  (fixed_distance[FIXED_AMOUNT_W-1:0]),
        .far_i     (|fixed_distance[10:FIXED_AMOUNT_W]),
        .nonzero_i (1'b0),
        .value_o   (fixed_moved),
        .sticky_o  (unused_fixed_lost)
    );

    quaver_shift_right #(.WIDTH(ADDEND_W), .AMOUNT_W(ADDEND_AMOUNT_W), .SIGNED(1)) u_addend (
        .value_i   ({value, {FRACTION-23{1'b0}}}),
        .amount_i  (addend_distance[ADDEND_AMOUNT_W-1:0]),
        .far_i     (1'b0),
        .nonzero_i (1'b0),
        .value_o   (addend_moved),
        .sticky_o  (unused_addend_lost)
    );

    wire [KEPT_W-1:0]  addend_kept = too_far ? {KEPT_W{1'b0}} : addend_moved[ADDEND_W-1 -: KEPT_W];

    wire [SUM_O_W-1:0] total = {fixed_moved[FIXED_W-1], fixed_moved}
                             + {{SUM_O_W-2-SUM_BITS{addend_kept[KEPT_W-1]}}, addend_kept,
                                {SUM_BITS-ADDEND_BITS{1'b0}}};

    wire [10:0] top = field + FIELD_UP[10:0];

    quaver_stage #(.WIDTH(10 + SUM_O_W), .REGISTERED(CUT_SUM)) u_sum (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({total, top[9:0]}),
        .q_o      ({sum_o, field_o})
    );

    wire unused = &{1'b0, top[10], unused_fixed_lost, unused_addend_lost, addend_moved, addend_distance};
endmodule

`default_nettype wire
