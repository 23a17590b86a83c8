// psum + product, exactly, in fixed point (numerics.md, rule 4.4).
//
//   product_i   of quaver_product: {nan, inf, sign, exponent[EXP_W],
//               significand[PRODUCT_W]}; the significand's last place weighs
//               2^(exponent + 2^(EXP_W-1)) last places of the psum
//   skip_i      the product is absent; its significand is then 0
//   psum_i      {negative infinity, positive infinity, sum[PSUM_W-2]}: the sum in
//               two's complement, and which infinities were met; NaN is both
//   psum_o      the same, LATENCY enabled clocks later (1 or 2)
//
// Whoever chooses PSUM_W and the number of terms sees to it that no sum overflows.
`default_nettype none

module quaver_exact_accumulate #(
    parameter integer PRODUCT_W = 8,
    parameter integer EXP_W     = 5,
    parameter integer PSUM_W    = 50,
    parameter integer LATENCY   = 1
) (
    input  wire                         clk_i,
    input  wire                         rst_ni,
    input  wire                         enable_i,
    input  wire                         skip_i,
    input  wire [2+EXP_W+PRODUCT_W:0]   product_i,
    input  wire [PSUM_W-1:0]            psum_i,
    output wire [PSUM_W-1:0]            psum_o
);
    generate
        if (LATENCY < 1 || LATENCY > 2) begin : gen_illegal_latency
            quaver_illegal_parameter latency_must_be_1_or_2 ();
        end
        if (PSUM_W < PRODUCT_W + 3) begin : gen_illegal_psum_w
            quaver_illegal_parameter psum_w_must_hold_a_product ();
        end
    endgenerate

    localparam integer CUT_PLACE = (LATENCY >= 2) ? 1 : 0;
    localparam integer SUM_W     = PSUM_W - 2;

    wire                 nan, inf, sign;
    wire [EXP_W-1:0]     exponent;
    wire [PRODUCT_W-1:0] significand;
    assign {nan, inf, sign, exponent, significand} = product_i;

    wire positive_inf = !skip_i && (nan || (inf && !sign));
    wire negative_inf = !skip_i && (nan || (inf && sign));

    // Adding 2^(EXP_W-1) is inverting the top bit.
    wire [EXP_W-1:0]   place = exponent ^ {1'b1, {EXP_W-1{1'b0}}};
    reg  [SUM_W-1:0]   placed;
    integer            k;

    // The smallest step comes first: the product is narrower than the sum.
    always @* begin
        placed = {{SUM_W-PRODUCT_W{1'b0}}, significand};
        for (k = 0; k < EXP_W; k = k + 1) begin
            if (place[k]) placed = placed << (1 << k);
        end
    end

    wire             positive_inf_1, negative_inf_1, sign_1;
    wire [SUM_W-1:0] term_1;
    wire [PSUM_W-1:0] psum_1;

    quaver_stage #(.WIDTH(3 + SUM_W + PSUM_W), .REGISTERED(CUT_PLACE)) u_place (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({negative_inf, positive_inf, sign, placed ^ {SUM_W{sign}}, psum_i}),
        .q_o      ({negative_inf_1, positive_inf_1, sign_1, term_1, psum_1})
    );

    // The lowest bit only makes the carry in, in one carry chain.
    wire [SUM_W:0] total = {psum_1[SUM_W-1:0], 1'b1} + {term_1, sign_1};

    quaver_stage #(.WIDTH(PSUM_W), .REGISTERED(1)) u_sum (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({psum_1[PSUM_W-1] || negative_inf_1, psum_1[PSUM_W-2] || positive_inf_1,
                    total[SUM_W:1]}),
        .q_o      (psum_o)
    );

    wire unused = &{1'b0, total[0]};
endmodule

`default_nettype wire
