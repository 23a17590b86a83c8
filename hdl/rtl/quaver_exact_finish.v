// The end of an exact sum: RNE32(init + sum), one rounding (numerics.md, rule 4.4).
//
//   psum_i   of quaver_exact_accumulate; the top bit below the sign of its sum weighs
//            2^(FIELD - 127)
//   init_i   FP32, any code
//   code_o   FP32, 4 enabled clocks later
`default_nettype none

module quaver_exact_finish #(
    parameter integer PSUM_W = 50,
    parameter integer FIELD  = 155
) (
    input  wire                clk_i,
    input  wire                rst_ni,
    input  wire                enable_i,
    input  wire [PSUM_W-1:0]   psum_i,
    input  wire [31:0]         init_i,
    output wire [31:0]         code_o
);
    localparam integer SUM_W    = PSUM_W - 2;
    localparam integer FIXED_W  = SUM_W + 27;

    wire top          = &init_i[30:23];
    wire rest         = |init_i[22:0];
    wire positive_inf = psum_i[PSUM_W-2] || (top && !rest && !init_i[31]);
    wire negative_inf = psum_i[PSUM_W-1] || (top && !rest && init_i[31]);
    wire nan          = (top && rest) || (positive_inf && negative_inf);

    wire               nan_2, inf_2, sign_2;
    wire [FIXED_W-1:0] fixed;
    wire [9:0]         field;

    quaver_exact_sum #(
        .SUM_W     (SUM_W),
        .CUT_ALIGN (1),
        .CUT_SUM   (1)
    ) u_sum (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .fixed_i  (psum_i[SUM_W-1:0]),
        .field_i  (FIELD[9:0]),
        .addend_i (init_i),
        .sum_o    (fixed),
        .field_o  (field)
    );

    quaver_delay #(.WIDTH(3), .CLOCKS(2)) u_special (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      ({nan, positive_inf || negative_inf, negative_inf}),
        .q_o      ({nan_2, inf_2, sign_2})
    );

    quaver_fixed_to_fp32 #(
        .WIDTH   (FIXED_W),
        .LATENCY (2)
    ) u_round (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .value_i  (fixed),
        .carry_i  (1'b0),
        .field_i  (field),
        .nan_i    (nan_2),
        .inf_i    (inf_2),
        .sign_i   (sign_2),
        .code_o   (code_o)
    );
endmodule

`default_nettype wire
