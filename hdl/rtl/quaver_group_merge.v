// Adds the sums of two groups of terms at the larger of their exponents.
// Combinational.
//
//   even_i, odd_i         two's complement, with a carry that is added to each, in
//   *_carry_i             units of 2^(exponent - fraction bits)
//   *_exponent_i          signed; of a sum of 0 it means nothing
//   sum_o, exponent_o     the one of smaller exponent is moved by floor
//
// (numerics.md, rule 4.3, step 4)
`default_nettype none

module quaver_group_merge #(
    parameter integer SUM_W = 30
) (
    input  wire [SUM_W-1:0]   even_i,
    input  wire               even_carry_i,
    input  wire [9:0]         even_exponent_i,
    input  wire [SUM_W-1:0]   odd_i,
    input  wire               odd_carry_i,
    input  wire [9:0]         odd_exponent_i,
    output wire [SUM_W:0]     sum_o,
    output wire [9:0]         exponent_o
);
    localparam integer AMOUNT_W = $clog2(SUM_W);

    wire [SUM_W-1:0] even = even_i + {{SUM_W-1{1'b0}}, even_carry_i};
    wire [SUM_W-1:0] odd  = odd_i + {{SUM_W-1{1'b0}}, odd_carry_i};

    wire [10:0] lead     = {odd_exponent_i[9], odd_exponent_i} - {even_exponent_i[9], even_exponent_i};
    wire        odd_ends = even == {SUM_W{1'b0}} || (odd != {SUM_W{1'b0}} && !lead[10]);

    // Of two sums that are not 0 one stays; 0 may move as far as it likes.
    wire [SUM_W-1:0] staying  = odd_ends ? odd : even;
    wire [SUM_W-1:0] moving   = odd_ends ? even : odd;
    wire [10:0]      distance = odd_ends ? lead : ~lead + 11'd1;
    wire [SUM_W-1:0] moved;
    wire             unused_lost;

    quaver_shift_right #(.WIDTH(SUM_W), .AMOUNT_W(AMOUNT_W), .SIGNED(1)) u_shift (
        .value_i   (moving),
        .amount_i  (distance[AMOUNT_W-1:0]),
        .far_i     (|distance[10:AMOUNT_W]),
        .nonzero_i (1'b0),
        .value_o   (moved),
        .sticky_o  (unused_lost)
    );

    assign sum_o      = {staying[SUM_W-1], staying} + {moved[SUM_W-1], moved};
    assign exponent_o = odd_ends ? odd_exponent_i : even_exponent_i;

    wire unused = &{1'b0, unused_lost};
endmodule

`default_nettype wire
