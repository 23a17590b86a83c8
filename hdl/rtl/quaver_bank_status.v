// What each of the two banks of partial sums is for.
//
//   FREE        nothing in it counts            preloaded_i   -> PRELOADED
//   PRELOADED   its m tile may start            claimed_i     -> COMPUTING
//   COMPUTING   its k tiles run                 computed_i    -> COMPUTED
//   COMPUTED    its sums are complete           drained_i     -> FREE
//
// An event names its bank, and holds from the next clock. Each of the four
// walkers takes the banks in turn, so an event always finds the state before it.
`default_nettype none

module quaver_bank_status (
    input  wire         clk_i,
    input  wire         rst_ni,

    input  wire         preloaded_i,
    input  wire         preloaded_bank_i,
    input  wire         claimed_i,
    input  wire         claimed_bank_i,
    input  wire         computed_i,
    input  wire         computed_bank_i,
    input  wire         drained_i,
    input  wire         drained_bank_i,

    output wire [1:0]   free_o,
    output wire [1:0]   preloaded_o,
    output wire [1:0]   computed_o
);
    localparam [1:0] FREE      = 2'd0;
    localparam [1:0] PRELOADED = 2'd1;
    localparam [1:0] COMPUTING = 2'd2;
    localparam [1:0] COMPUTED  = 2'd3;

    genvar bank;
    generate
        for (bank = 0; bank < 2; bank = bank + 1) begin : gen_bank
            reg [1:0] state_q;

            always @(posedge clk_i) begin
                if (!rst_ni)                                         state_q <= FREE;
                else if (preloaded_i && preloaded_bank_i == bank[0]) state_q <= PRELOADED;
                else if (claimed_i   && claimed_bank_i   == bank[0]) state_q <= COMPUTING;
                else if (computed_i  && computed_bank_i  == bank[0]) state_q <= COMPUTED;
                else if (drained_i   && drained_bank_i   == bank[0]) state_q <= FREE;
            end

            assign free_o[bank]      = state_q == FREE;
            assign preloaded_o[bank] = state_q == PRELOADED;
            assign computed_o[bank]  = state_q == COMPUTED;
        end
    endgenerate
endmodule

`default_nettype wire
