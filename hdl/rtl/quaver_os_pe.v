// One processing element of the output-stationary array. It owns SLOTS sums.
//
// The sums go round in a ring of SLOTS clocks: through the adder, which takes
// PE_LATENCY of them, and a delay line. So each clock is one slot's turn, the adder
// is never waited for, and a sum to which nothing is added passes bit for bit.
//
//   valid_i, operand_i   from the left: LANES operands of a row of A for the slot of
//                        this clock, if there are any
//   step_i               the weights become weight_i at the end of this clock
//   load_i, init_i       the slot's sum becomes init_i, and then the products are added
//   unload_i             the slot's sum, before this clock's products, is the result:
//                        it goes up on the chain
//   restart_i, promote_i  with valid_i, of a chunked accumulator: the inner sum starts
//                        from +0; with these products the chunk is complete
//   ..._o                the same, one clock later, for the right
//   weight_i, weight_o   LANES x {valid, operand} of a column of B from above; those
//                        at work, for the PE below
//   init_i, init_o       initial values from below; one clock later, for the PE above
//   result_i, result_o   results from below; one clock later, or this PE's own, for
//                        the PE above
//
// ACCUMULATOR and the format of a sum: see quaver_pe. A chunked one (CHUNKED) has
// {outer, inner} in the ring, and its second adder too, PROMOTE_LATENCY clocks.
`default_nettype none

module quaver_os_pe #(
    parameter integer EXP_W           = 5,
    parameter integer SIG_W           = 4,
    parameter integer LANES           = 1,
    parameter integer PE_LATENCY      = 4,
    parameter integer SLOTS           = 4,
    parameter integer PSUM_W          = 32,
    parameter integer NORMALISE       = 1,
    parameter integer EXP_FLOOR       = -1024,
    parameter integer EXP_BASE        = 0,
    parameter [95:0]  ACCUMULATOR     = 96'd0,
    parameter integer CHUNKED         = 0,
    parameter integer PROMOTE_LATENCY = 4,
    // Derived; leave it alone.
    parameter integer OPERAND_W       = 3 + EXP_W + SIG_W
) (
    input  wire                             clk_i,
    input  wire                             rst_ni,

    input  wire                             valid_i,
    input  wire [LANES*OPERAND_W-1:0]       operand_i,
    input  wire                             step_i,
    input  wire                             load_i,
    input  wire                             unload_i,
    input  wire                             restart_i,
    input  wire                             promote_i,
    output wire                             valid_o,
    output wire [LANES*OPERAND_W-1:0]       operand_o,
    output wire                             step_o,
    output wire                             load_o,
    output wire                             unload_o,
    output wire                             restart_o,
    output wire                             promote_o,

    input  wire [LANES*(1+OPERAND_W)-1:0]   weight_i,
    output wire [LANES*(1+OPERAND_W)-1:0]   weight_o,

    input  wire [PSUM_W-1:0]                init_i,
    output wire [PSUM_W-1:0]                init_o,
    input  wire [PSUM_W-1:0]                result_i,
    output wire [PSUM_W-1:0]                result_o
);
    /* verilator no_inline_module */

    localparam integer WEIGHTS_W = LANES * (1 + OPERAND_W);

    reg [LANES*OPERAND_W-1:0] operand_q;
    reg                       valid_q, step_q, load_q, unload_q, restart_q, promote_q;
    reg [WEIGHTS_W-1:0]       weight_q;
    reg [PSUM_W-1:0]          init_q;
    reg [PSUM_W-1:0]          result_q;

    // The sum whose turn it is.
    wire [PSUM_W-1:0]         sum;

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            operand_q <= {LANES*OPERAND_W{1'b0}};
            valid_q   <= 1'b0;
            step_q    <= 1'b0;
            load_q    <= 1'b0;
            unload_q  <= 1'b0;
            restart_q <= 1'b0;
            promote_q <= 1'b0;
            weight_q  <= {WEIGHTS_W{1'b0}};
            init_q    <= {PSUM_W{1'b0}};
            result_q  <= {PSUM_W{1'b0}};
        end else begin
            operand_q <= operand_i;
            valid_q   <= valid_i;
            step_q    <= step_i;
            load_q    <= load_i;
            unload_q  <= unload_i;
            restart_q <= restart_i;
            promote_q <= promote_i;
            if (step_i) weight_q <= weight_i;
            init_q    <= init_i;
            result_q  <= unload_i ? sum : result_i;
        end
    end

    assign operand_o = operand_q;
    assign valid_o   = valid_q;
    assign step_o    = step_q;
    assign load_o    = load_q;
    assign unload_o  = unload_q;
    assign restart_o = restart_q;
    assign promote_o = promote_q;
    assign weight_o  = weight_q;
    assign init_o    = init_q;
    assign result_o  = result_q;

    wire [LANES-1:0]           valid;
    wire [LANES*OPERAND_W-1:0] weight;

    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : gen_lane
            assign {valid[lane], weight[OPERAND_W*lane +: OPERAND_W]} =
                weight_q[(1+OPERAND_W)*lane +: 1+OPERAND_W] & {valid_i, {OPERAND_W{1'b1}}};
        end
    endgenerate

    wire [PSUM_W-1:0] psum_in, psum_out;

    quaver_mac #(
        .EXP_W       (EXP_W),
        .SIG_W       (SIG_W),
        .LANES       (LANES),
        .LATENCY     (PE_LATENCY),
        .PSUM_W      (PSUM_W),
        .NORMALISE   (NORMALISE),
        .EXP_FLOOR   (EXP_FLOOR),
        .EXP_BASE    (EXP_BASE),
        .ACCUMULATOR (ACCUMULATOR)
    ) u_mac (
        .clk_i   (clk_i),
        .rst_ni  (rst_ni),
        .valid_i (valid),
        .a_i     (operand_i),
        .b_i     (weight),
        .psum_i  (psum_in),
        .psum_o  (psum_out)
    );

    generate
        if (SLOTS < 2 || SLOTS < PE_LATENCY + ((CHUNKED != 0) ? PROMOTE_LATENCY : 0)) begin : gen_illegal
            quaver_illegal_parameter slots_must_cover_the_latency ();
        end else if (CHUNKED == 0) begin : gen_ring
            quaver_delay #(
                .WIDTH  (PSUM_W),
                .CLOCKS (SLOTS - PE_LATENCY)
            ) u_rest (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      (psum_out),
                .q_o      (sum)
            );

            assign psum_in = load_i ? init_i : sum;

            wire unused = &{1'b0, restart_i, promote_i};
        end else begin : gen_chunks
            wire [31:0] inner, outer_in, outer_late;
            wire        promote_late;
            wire [63:0] promoted;

            assign psum_in  = (load_i || restart_i) ? 32'd0 : inner;
            assign outer_in = load_i ? init_i : sum;

            quaver_delay #(
                .WIDTH  (33),
                .CLOCKS (PE_LATENCY)
            ) u_past (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      ({promote_i, outer_in}),
                .q_o      ({promote_late, outer_late})
            );

            quaver_promote #(
                .LATENCY (PROMOTE_LATENCY)
            ) u_promote (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .psum_i    ({outer_late, psum_out}),
                .promote_i (promote_late),
                .psum_o    (promoted)
            );

            quaver_delay #(
                .WIDTH  (64),
                .CLOCKS (SLOTS - PE_LATENCY - PROMOTE_LATENCY)
            ) u_rest (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      (promoted),
                .q_o      ({sum, inner})
            );
        end
    endgenerate
endmodule

`default_nettype wire
