// What a job cost: counters of 32 bits, modulo 2^32.
//
//   clear_i   all start from 0
//   busy_i    all count only now; afterwards they hold
//   event_i   counter i counts the clocks with event_i[i]
//   count_o   counter i is count_o[32*i +: 32]
`default_nettype none

module quaver_counters #(
    parameter integer COUNT = 7
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,
    input  wire                  clear_i,
    input  wire                  busy_i,
    input  wire [COUNT-1:0]      event_i,
    output wire [32*COUNT-1:0]   count_o
);
    genvar counter;
    generate
        for (counter = 0; counter < COUNT; counter = counter + 1) begin : gen_counter
            reg [31:0] count_q;

            always @(posedge clk_i) begin
                if (!rst_ni || clear_i)              count_q <= 32'd0;
                else if (busy_i && event_i[counter]) count_q <= count_q + 32'd1;
            end

            assign count_o[32*counter +: 32] = count_q;
        end
    endgenerate
endmodule

`default_nettype wire
