// One processing element of the weight-stationary array.
//
//   operand_i, swap_i   from the left (LANES operands of a row of A, and the flag
//                       that makes the shadow weights active); operand_o and
//                       swap_o are the same one clock later, for the right
//   shift_i, weight_i   the shadow weights become weight_i, which come from below:
//                       LANES x {valid, operand}; weight_o is the shadow register,
//                       for the PE above
//   psum_i, psum_o      partial sum from above; PE_LATENCY clocks later, with this
//                       PE's products added, for the PE below
//
// operand_i meets the psum_i of the same clock and the weights active in it. A
// swap acts at the end of its clock: the operand that comes with it still meets
// the old weights. A weight that is not valid adds nothing, not even +0.
//
// An operand is {nan, inf, sign, exponent, significand}; NORMALISE, EXP_FLOOR and
// EXP_BASE are those of the quaver_decode that made it.
//
// ACCUMULATOR says how products are added (numerics.md, section 4); what the kind
// does not need is 0. The parameters of a dot have their names in quaver_dot.
//
//   [3:0]    kind: 0 fp32, 1 fp32 toward zero, 2 tree, 3 dot, 4 exact
//   [4]      EVEN_ODD           [6:5]    ADDEND            [7]      FLUSH
//   [15:8]   FRACTION_BITS      [23:16]  SUM_BITS          [31:24]  ADDEND_BITS
//   [39:32]  OUTPUT_BITS        [55:40]  EXP_FLOOR         [87:56]  NAN
//
// A partial sum is FP32, or of exact what quaver_exact_accumulate says.
`default_nettype none

module quaver_pe #(
    parameter integer EXP_W       = 5,
    parameter integer SIG_W       = 4,
    parameter integer LANES       = 1,
    parameter integer PE_LATENCY  = 4,
    parameter integer PSUM_W      = 32,
    parameter integer NORMALISE   = 1,
    parameter integer EXP_FLOOR   = -1024,
    parameter integer EXP_BASE    = 0,
    parameter [95:0]  ACCUMULATOR = 96'd0,
    // Derived; leave it alone.
    parameter integer OPERAND_W   = 3 + EXP_W + SIG_W
) (
    input  wire                             clk_i,
    input  wire                             rst_ni,

    input  wire [LANES*OPERAND_W-1:0]       operand_i,
    input  wire                             swap_i,
    output wire [LANES*OPERAND_W-1:0]       operand_o,
    output wire                             swap_o,

    input  wire                             shift_i,
    input  wire [LANES*(1+OPERAND_W)-1:0]   weight_i,
    output wire [LANES*(1+OPERAND_W)-1:0]   weight_o,

    input  wire [PSUM_W-1:0]                psum_i,
    output wire [PSUM_W-1:0]                psum_o
);
    /* verilator no_inline_module */

    localparam integer WEIGHTS_W = LANES * (1 + OPERAND_W);
    localparam integer PRODUCT_W  = 4 + EXP_W + 2 * SIG_W;
    localparam integer NO_FLOOR   = -1024;

    reg [LANES*OPERAND_W-1:0] operand_q;
    reg                       swap_q;
    reg [WEIGHTS_W-1:0]       shadow_q;
    reg [WEIGHTS_W-1:0]       active_q;

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            operand_q <= {LANES*OPERAND_W{1'b0}};
            swap_q    <= 1'b0;
            shadow_q  <= {WEIGHTS_W{1'b0}};
            active_q  <= {WEIGHTS_W{1'b0}};
        end else begin
            operand_q <= operand_i;
            swap_q    <= swap_i;
            if (shift_i) shadow_q <= weight_i;
            if (swap_i)  active_q <= shadow_q;
        end
    end

    assign operand_o = operand_q;
    assign swap_o    = swap_q;
    assign weight_o  = shadow_q;

    // The products of the lanes, exact, and which of them are there.
    wire [LANES-1:0]           valid;
    wire [LANES*PRODUCT_W-1:0] product;

    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : gen_lane
            assign valid[lane] = active_q[(1+OPERAND_W)*lane+OPERAND_W];

            quaver_product #(
                .EXP_W      (EXP_W),
                .SIG_W      (SIG_W),
                .NORMALISED ((NORMALISE != 0 && EXP_FLOOR == NO_FLOOR) ? 1 : 0)
            ) u_product (
                .a_i       (operand_i[OPERAND_W*lane +: OPERAND_W]),
                .b_i       (active_q[(1+OPERAND_W)*lane +: OPERAND_W]),
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
    // and psum_o PE_LATENCY clocks later.
    generate
        if (KIND > KIND_EXACT || (LANES != 1 && KIND != KIND_TREE && KIND != KIND_DOT)
            || (PSUM_W != 32 && KIND != KIND_EXACT)) begin : gen_illegal
            quaver_illegal_parameter lanes_and_psum_w_must_suit_the_kind ();
        end else if (KIND == KIND_FP32 || KIND == KIND_FP32_TOWARD_ZERO) begin : gen_fp32
            quaver_fp32_accumulate #(
                .PRODUCT_W   (2 * SIG_W),
                .EXP_W       (EXP_W + 1),
                .LATENCY     (PE_LATENCY),
                .TOWARD_ZERO ((KIND == KIND_FP32_TOWARD_ZERO) ? 1 : 0)
            ) u_accumulate (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .skip_i    (!valid[0]),
                .product_i (product),
                .psum_i    (psum_i),
                .psum_o    (psum_o)
            );
        end else if (KIND == KIND_TREE) begin : gen_tree
            quaver_fp32_tree #(
                .LANES     (LANES),
                .PRODUCT_W (2 * SIG_W),
                .EXP_W     (EXP_W + 1),
                .LATENCY   (PE_LATENCY)
            ) u_accumulate (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .valid_i   (valid),
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
                .LATENCY       (PE_LATENCY)
            ) u_accumulate (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .valid_i   (valid),
                .product_i (product),
                .psum_i    (psum_i),
                .psum_o    (psum_o)
            );
        end else begin : gen_exact
            quaver_exact_accumulate #(
                .PRODUCT_W (2 * SIG_W),
                .EXP_W     (EXP_W + 1),
                .PSUM_W    (PSUM_W),
                .LATENCY   (PE_LATENCY)
            ) u_accumulate (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (1'b1),
                .skip_i    (!valid[0]),
                .product_i (product),
                .psum_i    (psum_i),
                .psum_o    (psum_o)
            );
        end
    endgenerate
endmodule

`default_nettype wire
