// A fixed-point number plus FP32, ready to be rounded once.
//
//   fixed_i      two's complement, SUM_W bits, the top bit its sign alone
//   field_i      bit SUM_W-2 of it weighs 2^(field_i - 127); 1 or more, signed
//   addend_i     FP32, finite
//   sum_o        two's complement; where bits are lost at its right end its lowest
//                bit is set instead: every rounding to FP32 is that of the exact sum
//   field_o      bit SUM_W+25 of sum_o weighs 2^(field_o - 127); CUT_ALIGN + CUT_SUM
//                enabled clocks after the inputs
//
// One of the two stays and the other moves right. The 26 places below fixed_i hold
// the whole addend, unless it is smaller than any bit that can decide a rounding.
// (numerics.md, rules 4.3, step 6, LateExact, and 4.4)
`default_nettype none

module quaver_exact_sum #(
    parameter integer SUM_W     = 31,
    parameter integer CUT_ALIGN = 0,
    parameter integer CUT_SUM   = 0
) (
    input  wire                 clk_i,
    input  wire                 rst_ni,
    input  wire                 enable_i,
    input  wire [SUM_W-1:0]     fixed_i,
    input  wire [9:0]           field_i,
    input  wire [31:0]          addend_i,
    output wire [SUM_W+26:0]    sum_o,
    output wire [9:0]           field_o
);
    localparam integer BELOW    = 26;
    localparam integer WINDOW_W = SUM_W + BELOW;
    localparam integer AMOUNT_W = $clog2(WINDOW_W);

    wire        hidden          = |addend_i[30:23];
    wire        addend_nonzero  = hidden || (|addend_i[22:0]);
    wire [10:0] addend_field    = {3'd0, addend_i[30:24], addend_i[23] || !hidden};
    wire [10:0] fixed_field     = {field_i[9], field_i};
    wire        fixed_nonzero   = |fixed_i;

    wire [10:0] lead     = addend_field - fixed_field;
    wire [10:0] lag      = fixed_field - addend_field;
    // The addend is the one that stays.
    wire        addend_stays = addend_nonzero && (!fixed_nonzero || (!lead[10] && (|lead)));
    wire [10:0] field    = addend_stays ? addend_field : fixed_field;

    wire [10:0] fixed_distance  = (addend_stays && fixed_nonzero) ? lead : 11'd0;
    wire [10:0] addend_distance = (addend_stays || !addend_nonzero) ? 11'd0 : lag;

    wire [WINDOW_W-1:0] fixed_moved;
    wire                fixed_lost;

    quaver_shift_right #(.WIDTH(WINDOW_W), .AMOUNT_W(AMOUNT_W), .SIGNED(1)) u_fixed (
        .value_i   ({fixed_i, {BELOW{1'b0}}}),
        .amount_i  (fixed_distance[AMOUNT_W-1:0]),
        .far_i     (|fixed_distance[10:AMOUNT_W]),
        .nonzero_i (fixed_nonzero),
        .value_o   (fixed_moved),
        .sticky_o  (fixed_lost)
    );

    // The addend's integer bit comes to the bit below the sign.
    wire [WINDOW_W-2:0] addend_moved;
    wire                addend_lost;

    quaver_shift_right #(.WIDTH(WINDOW_W - 1), .AMOUNT_W(AMOUNT_W)) u_addend (
        .value_i   ({hidden, addend_i[22:0], {WINDOW_W-25{1'b0}}}),
        .amount_i  (addend_distance[AMOUNT_W-1:0]),
        .far_i     (|addend_distance[10:AMOUNT_W]),
        .nonzero_i (addend_nonzero),
        .value_o   (addend_moved),
        .sticky_o  (addend_lost)
    );

    wire                negative_1;
    wire [9:0]          field_1;
    wire [WINDOW_W-1:0] fixed_1;
    wire [WINDOW_W-2:0] addend_1;

    quaver_stage #(.WIDTH(10 + 2*WINDOW_W), .REGISTERED(CUT_ALIGN)) u_align (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({addend_i[31], field[9:0],
                    fixed_moved[WINDOW_W-1:1], fixed_moved[0] || fixed_lost,
                    addend_moved[WINDOW_W-2:1], addend_moved[0] || addend_lost}),
        .q_o      ({negative_1, field_1, fixed_1, addend_1})
    );

    // The lowest bit only makes the carry in.
    wire [WINDOW_W+1:0] total = {fixed_1[WINDOW_W-1], fixed_1, 1'b1}
                              + {{2'b00, addend_1} ^ {WINDOW_W+1{negative_1}}, negative_1};

    quaver_stage #(.WIDTH(11 + WINDOW_W), .REGISTERED(CUT_SUM)) u_sum (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({total[WINDOW_W+1:1], field_1 + 10'd1}),
        .q_o      ({sum_o, field_o})
    );

    wire unused = &{1'b0, field[10], total[0]};
endmodule

`default_nettype wire
