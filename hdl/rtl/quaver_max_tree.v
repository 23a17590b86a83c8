// The largest of COUNT unsigned words. Combinational.
//
//   words_i     word 0 in the low bits
//   largest_o   the largest
`default_nettype none

module quaver_max_tree #(
    parameter integer COUNT = 8,
    parameter integer WIDTH = 6
) (
    input  wire [COUNT*WIDTH-1:0]   words_i,
    output wire [WIDTH-1:0]         largest_o
);
    localparam integer LEVELS = $clog2(COUNT);

    genvar level, node;
    generate
        for (level = 0; level <= LEVELS; level = level + 1) begin : gen_level
            // What is left after this many halvings, rounded up.
            localparam integer LEFT = (COUNT + (1 << level) - 1) >> level;

            wire [LEFT*WIDTH-1:0] words;

            if (level == 0) begin : gen_leaves
                assign words = words_i;
            end else begin : gen_nodes
                localparam integer BELOW = (COUNT + (1 << (level-1)) - 1) >> (level-1);

                for (node = 0; node < LEFT; node = node + 1) begin : gen_node
                    wire [WIDTH-1:0] left = gen_level[level-1].words[2*node*WIDTH +: WIDTH];

                    if (2*node + 1 < BELOW) begin : gen_pair
                        wire [WIDTH-1:0] right = gen_level[level-1].words[(2*node+1)*WIDTH +: WIDTH];
                        assign words[node*WIDTH +: WIDTH] = (left < right) ? right : left;
                    end else begin : gen_single
                        assign words[node*WIDTH +: WIDTH] = left;
                    end
                end
            end
        end
    endgenerate

    assign largest_o = gen_level[LEVELS].words;
endmodule

`default_nettype wire
