// The partial sums: COLS columns of two banks.
//
//   launch_*     column 0 reads row launch_row_i of launch_bank_i; column c does c
//                clocks later. psum_o of column c is its word one clock after that,
//                and +0 for a clock without launch_valid_i.
//   retire_*     column 0 writes psum_i; column c does c clocks later
//   computed_o   the last column writes the row that came with retire_last_i;
//                computed_bank_o is its bank
//   preload_*    all columns write at once
//   drain_*      all columns read at once; drain_psum_o one clock later, and
//                until the next clock with drain_valid_i
//
// The array's columns lag each other by one clock, so the addresses travel with
// them and partial sums need neither skew nor deskew. A bank is drained after
// its last column is written and preloaded after its last row was drained, so
// these two need not travel.
`default_nettype none

module quaver_psum_memory #(
    parameter integer COLS      = 8,
    parameter integer TILE_ROWS = 256,
    parameter integer PSUM_W    = 32,
    // Derived; leave it alone.
    parameter integer ROW_W     = (TILE_ROWS > 1) ? $clog2(TILE_ROWS) : 1
) (
    input  wire                     clk_i,
    input  wire                     rst_ni,

    input  wire                     launch_valid_i,
    input  wire                     launch_bank_i,
    input  wire [ROW_W-1:0]         launch_row_i,
    output wire [COLS*PSUM_W-1:0]   psum_o,

    input  wire                     retire_valid_i,
    input  wire                     retire_bank_i,
    input  wire [ROW_W-1:0]         retire_row_i,
    input  wire                     retire_last_i,
    input  wire [COLS*PSUM_W-1:0]   psum_i,
    output wire                     computed_o,
    output wire                     computed_bank_o,

    input  wire                     preload_valid_i,
    input  wire                     preload_bank_i,
    input  wire [ROW_W-1:0]         preload_row_i,
    input  wire [COLS*PSUM_W-1:0]   preload_psum_i,

    input  wire                     drain_valid_i,
    input  wire                     drain_bank_i,
    input  wire [ROW_W-1:0]         drain_row_i,
    output wire [COLS*PSUM_W-1:0]   drain_psum_o
);
    localparam integer LAUNCH_W = 2 + ROW_W;
    localparam integer RETIRE_W = 3 + ROW_W;

    // {valid, bank, row} and {last, valid, bank, row} at each column.
    wire [COLS*LAUNCH_W-1:0] launch;
    wire [COLS*RETIRE_W-1:0] retire;

    assign launch[0 +: LAUNCH_W] = {launch_valid_i, launch_bank_i, launch_row_i};
    assign retire[0 +: RETIRE_W] = {retire_last_i, retire_valid_i, retire_bank_i, retire_row_i};

    wire [RETIRE_W-1:0] retire_end = retire[(COLS-1)*RETIRE_W +: RETIRE_W];

    assign computed_o      = retire_end[RETIRE_W-1] && retire_end[RETIRE_W-2];
    assign computed_bank_o = retire_end[RETIRE_W-3];

    genvar col;
    generate
        for (col = 1; col < COLS; col = col + 1) begin : gen_travel
            quaver_delay #(
                .WIDTH  (LAUNCH_W),
                .CLOCKS (1)
            ) u_launch (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      (launch[LAUNCH_W*(col-1) +: LAUNCH_W]),
                .q_o      (launch[LAUNCH_W*col +: LAUNCH_W])
            );

            quaver_delay #(
                .WIDTH  (RETIRE_W),
                .CLOCKS (1)
            ) u_retire (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      (retire[RETIRE_W*(col-1) +: RETIRE_W]),
                .q_o      (retire[RETIRE_W*col +: RETIRE_W])
            );
        end

        for (col = 0; col < COLS; col = col + 1) begin : gen_column
            quaver_psum_column #(
                .TILE_ROWS (TILE_ROWS),
                .PSUM_W    (PSUM_W)
            ) u_column (
                .clk_i           (clk_i),
                .rst_ni          (rst_ni),
                .launch_valid_i  (launch[LAUNCH_W*col+ROW_W+1]),
                .launch_bank_i   (launch[LAUNCH_W*col+ROW_W]),
                .launch_row_i    (launch[LAUNCH_W*col +: ROW_W]),
                .psum_o          (psum_o[PSUM_W*col +: PSUM_W]),
                .retire_valid_i  (retire[RETIRE_W*col+ROW_W+1]),
                .retire_bank_i   (retire[RETIRE_W*col+ROW_W]),
                .retire_row_i    (retire[RETIRE_W*col +: ROW_W]),
                .psum_i          (psum_i[PSUM_W*col +: PSUM_W]),
                .preload_valid_i (preload_valid_i),
                .preload_bank_i  (preload_bank_i),
                .preload_row_i   (preload_row_i),
                .preload_psum_i  (preload_psum_i[PSUM_W*col +: PSUM_W]),
                .drain_valid_i   (drain_valid_i),
                .drain_bank_i    (drain_bank_i),
                .drain_row_i     (drain_row_i),
                .drain_psum_o    (drain_psum_o[PSUM_W*col +: PSUM_W])
            );
        end
    endgenerate
endmodule

`default_nettype wire
