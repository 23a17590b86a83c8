// psum + LANES products: the arithmetic of a PE, whatever the accumulator.
//
//   valid_i    the lane's product is there; one that is not adds nothing, not even +0
//   a_i, b_i   LANES operands each: {nan, inf, sign, exponent, significand} of the
//              quaver_decode with the same NORMALISE, EXP_FLOOR and EXP_BASE
//   psum_i     what the products are added to; without any it passes bit for bit
//   psum_o     the sum, LATENCY clocks later
//
// ACCUMULATOR and the format of a partial sum: see quaver_pe.
`default_nettype none

module quaver_mac #(
    parameter integer EXP_W       = 5,
    parameter integer SIG_W       = 4,
    parameter integer LANES       = 1,
    parameter integer LATENCY     = 4,
    parameter integer PSUM_W      = 32,
    parameter integer NORMALISE   = 1,
    parameter integer EXP_FLOOR   = -1024,
    parameter integer EXP_BASE    = 0,
    parameter [95:0]  ACCUMULATOR = 96'd0,
    // Derived; leave it alone.
    parameter integer OPERAND_W   = 3 + EXP_W + SIG_W
) (
    input  wire                         clk_i,
    input  wire                         rst_ni,
    input  wire [LANES-1:0]             valid_i,
    input  wire [LANES*OPERAND_W-1:0]   a_i,
    input  wire [LANES*OPERAND_W-1:0]   b_i,
    input  wire [PSUM_W-1:0]            psum_i,
    output wire [PSUM_W-1:0]            psum_o
);
    localparam integer PRODUCT_W  = 4 + EXP_W + 2 * SIG_W;
    localparam integer NO_FLOOR   = -1024;

    // The products of the lanes, exact.
    wire [LANES*PRODUCT_W-1:0] product;

    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : gen_lane
            quaver_product #(
                .EXP_W      (EXP_W),
                .SIG_W      (SIG_W),
                .NORMALISED ((NORMALISE != 0 && EXP_FLOOR == NO_FLOOR) ? 1 : 0)
            ) u_product (
                .a_i       (a_i[OPERAND_W*lane +: OPERAND_W]),
                .b_i       (b_i[OPERAND_W*lane +: OPERAND_W]),
                .product_o (product[PRODUCT_W*lane +: PRODUCT_W])
            );
        end
    endgenerate

    localparam [3:0] KIND_FP32             = 4'd0;
    localparam [3:0] KIND_FP32_TOWARD_ZERO = 4'd1;
    localparam [3:0] KIND_TREE             = 4'd2;
    localparam [3:0] KIND_DOT              = 4'd3;
    localparam [3:0] KIND_EXACT            = 4'd4;

    localparam [3:0] KIND = ACCUMULATOR[3:0];

    // What each takes and gives is the same: psum_i and the products of this clock,
    // and psum_o LATENCY clocks later.
    generate
        if (KIND > KIND_EXACT || (LANES != 1 && KIND != KIND_TREE && KIND != KIND_DOT)
            || (PSUM_W != 32 && KIND != KIND_EXACT)) begin : gen_illegal
            quaver_illegal_parameter lanes_and_psum_w_must_suit_the_kind ();
        end else if (KIND == KIND_FP32 || KIND == KIND_FP32_TOWARD_ZERO) begin : gen_fp32
            quaver_fp32_accumulate #(
                .PRODUCT_W   (2 * SIG_W),
                .EXP_W       (EXP_W + 1),
                .LATENCY     (LATENCY),
                .TOWARD_ZERO ((KIND == KIND_FP32_TOWARD_ZERO) ? 1 : 0)
            ) u_accumulate (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .skip_i    (!valid_i[0]),
                .product_i (product),
                .psum_i    (psum_i),
                .psum_o    (psum_o)
            );
        end else if (KIND == KIND_TREE) begin : gen_tree
            quaver_fp32_tree #(
                .LANES     (LANES),
                .PRODUCT_W (2 * SIG_W),
                .EXP_W     (EXP_W + 1),
                .LATENCY   (LATENCY)
            ) u_accumulate (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .valid_i   (valid_i),
                .product_i (product),
                .psum_i    (psum_i),
                .psum_o    (psum_o)
            );
        end else if (KIND == KIND_DOT) begin : gen_dot
            quaver_dot #(
                .LANES         (LANES),
                .PRODUCT_W     (2 * SIG_W),
                .EXP_W         (EXP_W + 1),
                .EXP_BASE      (2 * EXP_BASE),
                .FRACTION_BITS ({24'd0, ACCUMULATOR[15:8]}),
                .EVEN_ODD      ({31'd0, ACCUMULATOR[4]}),
                .EXP_FLOOR     ({{16{ACCUMULATOR[55]}}, ACCUMULATOR[55:40]}),
                .ADDEND        ({30'd0, ACCUMULATOR[6:5]}),
                .SUM_BITS      ({24'd0, ACCUMULATOR[23:16]}),
                .ADDEND_BITS   ({24'd0, ACCUMULATOR[31:24]}),
                .OUTPUT_BITS   ({24'd0, ACCUMULATOR[39:32]}),
                .FLUSH         ({31'd0, ACCUMULATOR[7]}),
                .NAN           (ACCUMULATOR[87:56]),
                .LATENCY       (LATENCY)
            ) u_accumulate (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .valid_i   (valid_i),
                .product_i (product),
                .psum_i    (psum_i),
                .psum_o    (psum_o)
            );
        end else begin : gen_exact
            quaver_exact_accumulate #(
                .PRODUCT_W (2 * SIG_W),
                .EXP_W     (EXP_W + 1),
                .PSUM_W    (PSUM_W),
                .LATENCY   (LATENCY)
            ) u_accumulate (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .skip_i    (!valid_i[0]),
                .product_i (product),
                .psum_i    (psum_i),
                .psum_o    (psum_o)
            );
        end
    endgenerate
endmodule

`default_nettype wire
