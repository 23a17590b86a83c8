// A delay line: q_o is d_i, CLOCKS enabled clocks later; CLOCKS = 0 is wires.
//
//   line_q[WIDTH*i +: WIDTH]   what d_i was i + 1 enabled clocks ago
`default_nettype none

module quaver_delay #(
    parameter integer WIDTH  = 1,
    parameter integer CLOCKS = 1
) (
    input  wire               clk_i,
    input  wire               rst_ni,
    input  wire               enable_i,
    input  wire [WIDTH-1:0]   d_i,
    output wire [WIDTH-1:0]   q_o
);
    generate
        if (CLOCKS > 0) begin : gen_line
            reg  [WIDTH*CLOCKS-1:0]     line_q;
            wire [WIDTH*(CLOCKS+1)-1:0] line = {line_q, d_i};

            always @(posedge clk_i) begin
                if (!rst_ni)       line_q <= {WIDTH*CLOCKS{1'b0}};
                else if (enable_i) line_q <= line[WIDTH*CLOCKS-1:0];
            end
            assign q_o = line[WIDTH*CLOCKS +: WIDTH];
        end else begin : gen_wires
            assign q_o = d_i;

            wire unused = &{1'b0, clk_i, rst_ni, enable_i};
        end
    endgenerate
endmodule

`default_nettype wire
