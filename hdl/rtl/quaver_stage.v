// A place where a datapath may be cut: a register, or wires.
//
//   REGISTERED  1: q_o is d_i one enabled clock later, and 0 after reset
//               0: q_o is d_i
//
// The arithmetic units keep one description for every latency: each has all
// its cuts, and LATENCY says which of them are registers.
`default_nettype none

module quaver_stage #(
    parameter integer WIDTH      = 1,
    parameter integer REGISTERED = 1
) (
    input  wire               clk_i,
    input  wire               rst_ni,
    input  wire               enable_i,
    input  wire [WIDTH-1:0]   d_i,
    output wire [WIDTH-1:0]   q_o
);
    generate
        if (REGISTERED != 0) begin : gen_register
            reg [WIDTH-1:0] stage_q;
            always @(posedge clk_i) begin
                if (!rst_ni)       stage_q <= {WIDTH{1'b0}};
                else if (enable_i) stage_q <= d_i;
            end
            assign q_o = stage_q;
        end else begin : gen_wires
            assign q_o = d_i;

            wire unused = &{1'b0, clk_i, rst_ni, enable_i};
        end
    endgenerate
endmodule

`default_nettype wire
