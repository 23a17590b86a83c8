// psum + (p0 + p1) + (p2 + p3) ...: products added in pairs, every sum in FP32, to
// nearest, ties to even (numerics.md, rule 4.2).
//
//   valid_i     a product that is not valid is absent; if lane n is, so are those
//               above it. Who has no neighbour moves up unchanged.
//   product_i   of quaver_product with normalised operands: {nan, inf, sign,
//               exponent[EXP_W], significand[PRODUCT_W]}; a value other than 0 lies
//               in the range of FP32's normal numbers
//   psum_i      FP32; psum_o is psum_i, bit for bit, if no product is valid
//   psum_o      FP32, LATENCY enabled clocks later (1 or more)
//
// The clocks are shared out to the levels of the tree, the later ones first, and each
// adder has as many registers as its level has clocks.
`default_nettype none

module quaver_fp32_tree #(
    parameter integer LANES     = 4,
    parameter integer PRODUCT_W = 8,
    parameter integer EXP_W     = 6,
    parameter integer LATENCY   = 3
) (
    input  wire                                   clk_i,
    input  wire                                   rst_ni,
    input  wire                                   enable_i,
    input  wire [LANES-1:0]                       valid_i,
    input  wire [LANES*(3+EXP_W+PRODUCT_W)-1:0]   product_i,
    input  wire [31:0]                            psum_i,
    output wire [31:0]                            psum_o
);
    localparam integer WIRES_W = 3 + EXP_W + PRODUCT_W;
    localparam integer LEVELS  = $clog2(LANES);
    // The last addition, to the psum, is a level of its own.
    localparam integer BEFORE  = (LEVELS * LATENCY) / (LEVELS + 1);

    generate
        if (LATENCY < 1 || LATENCY > 5) begin : gen_illegal_latency
            quaver_illegal_parameter latency_must_be_1_to_5 ();
        end
        if (EXP_W < 1 || EXP_W > 9 || PRODUCT_W > 24) begin : gen_illegal_width
            quaver_illegal_parameter product_must_fit_fp32 ();
        end
    endgenerate

    genvar level, node;
    generate
        for (level = 0; level <= LEVELS; level = level + 1) begin : gen_level
            localparam integer LEFT = (LANES + (1 << level) - 1) >> level;

            wire [32*LEFT-1:0] sums;
            wire [LEFT-1:0]    valid;

            if (level == 0) begin : gen_leaves
                assign valid = valid_i;

                for (node = 0; node < LEFT; node = node + 1) begin : gen_leaf
                    wire                 nan, inf, sign;
                    wire [EXP_W-1:0]     exponent;
                    wire [PRODUCT_W-1:0] significand;
                    assign {nan, inf, sign, exponent, significand} = product_i[WIRES_W*node +: WIRES_W];

                    // One of the two integer bits is set unless the product is zero.
                    wire        carry    = significand[PRODUCT_W-1];
                    wire        nonzero  = carry || significand[PRODUCT_W-2];
                    wire [9:0]  extended = {{10-EXP_W{exponent[EXP_W-1]}}, exponent};
                    wire [9:0]  field    = extended + 10'd127 + {9'd0, carry};
                    wire [24:0] fraction = {significand, {25-PRODUCT_W{1'b0}}} << !carry;

                    assign sums[32*node +: 32] =
                        nan     ? 32'h7FC0_0000 :
                        inf     ? {sign, 8'd255, 23'd0} :
                        nonzero ? {sign, field[7:0], fraction[23:1]} : {sign, 31'd0};

                    wire unused = &{1'b0, field[9:8], fraction};
                end
            end else begin : gen_nodes
                localparam integer BELOW  = (LANES + (1 << (level-1)) - 1) >> (level-1);
                localparam integer CLOCKS = (level * LATENCY) / (LEVELS + 1)
                                          - ((level - 1) * LATENCY) / (LEVELS + 1);

                wire [LEFT-1:0] valid_early;

                for (node = 0; node < LEFT; node = node + 1) begin : gen_node
                    wire [31:0] left = gen_level[level-1].sums[64*node +: 32];

                    assign valid_early[node] = gen_level[level-1].valid[2*node];

                    if (2*node + 1 < BELOW) begin : gen_pair
                        quaver_fp32_add #(
                            .LATENCY (CLOCKS)
                        ) u_add (
                            .clk_i    (clk_i),
                            .rst_ni   (rst_ni),
                            .enable_i (enable_i),
                            .a_i      (left),
                            .b_i      (gen_level[level-1].sums[64*node+32 +: 32]),
                            .pass_i   (!gen_level[level-1].valid[2*node+1]),
                            .sum_o    (sums[32*node +: 32])
                        );
                    end else begin : gen_single
                        quaver_delay #(.WIDTH(32), .CLOCKS(CLOCKS)) u_delay (
                            .clk_i    (clk_i),
                            .rst_ni   (rst_ni),
                            .enable_i (enable_i),
                            .d_i      (left),
                            .q_o      (sums[32*node +: 32])
                        );
                    end
                end

                quaver_delay #(.WIDTH(LEFT), .CLOCKS(CLOCKS)) u_valid (
                    .clk_i    (clk_i),
                    .rst_ni   (rst_ni),
                    .enable_i (enable_i),
                    .d_i      (valid_early),
                    .q_o      (valid)
                );
            end
        end
    endgenerate

    wire [31:0] psum;

    quaver_delay #(.WIDTH(32), .CLOCKS(BEFORE)) u_psum (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .d_i      (psum_i),
        .q_o      (psum)
    );

    quaver_fp32_add #(
        .LATENCY (LATENCY - BEFORE)
    ) u_accumulate (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (enable_i),
        .a_i      (psum),
        .b_i      (gen_level[LEVELS].sums),
        .pass_i   (!gen_level[LEVELS].valid[0]),
        .sum_o    (psum_o)
    );
endmodule

`default_nettype wire
