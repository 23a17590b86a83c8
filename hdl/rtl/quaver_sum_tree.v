// The exact sum of COUNT two's complement words and COUNT carries. Combinational.
//
//   words_i, carries_i   word 0 in the low bits; each word comes with a bit of its
//                        own that is added to it
//   sum_o, carry_o       sum_o + carry_o is the sum
//
// An adder has one carry in, and there is one adder fewer than there are carries:
// the last carry is left to whoever uses the sum.
`default_nettype none

module quaver_sum_tree #(
    parameter integer COUNT = 8,
    parameter integer WIDTH = 16,
    // Derived; leave it alone.
    parameter integer SUM_W = WIDTH + $clog2(COUNT)
) (
    input  wire [COUNT*WIDTH-1:0]   words_i,
    input  wire [COUNT-1:0]         carries_i,
    output wire [SUM_W-1:0]         sum_o,
    output wire                     carry_o
);
    localparam integer LEVELS = $clog2(COUNT);

    genvar level, node;
    generate
        for (level = 0; level <= LEVELS; level = level + 1) begin : gen_level
            localparam integer LEFT   = (COUNT + (1 << level) - 1) >> level;
            localparam integer LEVEL_W = WIDTH + level;

            wire [LEFT*LEVEL_W-1:0] sums;
            wire [LEFT-1:0]         carries;

            if (level == 0) begin : gen_leaves
                assign sums    = words_i;
                assign carries = carries_i;
            end else begin : gen_nodes
                localparam integer BELOW   = (COUNT + (1 << (level-1)) - 1) >> (level-1);
                localparam integer BELOW_W = LEVEL_W - 1;

                for (node = 0; node < LEFT; node = node + 1) begin : gen_node
                    wire [BELOW_W-1:0] left = gen_level[level-1].sums[2*node*BELOW_W +: BELOW_W];

                    if (2*node + 1 < BELOW) begin : gen_pair
                        wire [BELOW_W-1:0] right = gen_level[level-1].sums[(2*node+1)*BELOW_W +: BELOW_W];
                        // The lowest bit only makes the carry in, in one carry chain.
                        wire [LEVEL_W:0]   total = {left[BELOW_W-1], left, 1'b1}
                            + {right[BELOW_W-1], right, gen_level[level-1].carries[2*node]};

                        assign sums[node*LEVEL_W +: LEVEL_W] = total[LEVEL_W:1];
                        assign carries[node] = gen_level[level-1].carries[2*node+1];

                        wire unused = &{1'b0, total[0]};
                    end else begin : gen_single
                        assign sums[node*LEVEL_W +: LEVEL_W] = {left[BELOW_W-1], left};
                        assign carries[node] = gen_level[level-1].carries[2*node];
                    end
                end
            end
        end
    endgenerate

    assign sum_o   = gen_level[LEVELS].sums;
    assign carry_o = gen_level[LEVELS].carries;
endmodule

`default_nettype wire
