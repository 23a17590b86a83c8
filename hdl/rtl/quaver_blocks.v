// The two levels of a sum whose operands have scales of blocks, between the
// partial-sum memory and the array (numerics.md, rule 7.8).
//
// A word of the memory is {outer, inner}, both FP32, as in quaver_chunks. Where a
// block is complete, the outer sum takes in the inner one times the block's two
// scales.
//
//   restart_i, promote_i   of the row that column 0 reads in this clock; column c's
//                          come c clocks later
//   scale_a_i   with promote_i: the block's scale in that row of A
//   load_i, scale_b_i   the block's scales in the columns of B, for the tile whose
//               weights are being loaded
//   swap_i      the launcher's: in column c, 1 + c clocks later, they become those of
//               the rows after this one
//   word_i, psum_o   from the memory, to the array: column c's, 1 + c clocks after the
//               flags
//   psum_i, word_o   from the array, PSUM_LATENCY clocks after psum_o; to the memory,
//               SCALE_LATENCY + ADD_LATENCY clocks later
//
// The loader loads no other tile before the swap is through the whole array, so what
// scale_b_i was when load_i was high last is there when the last column needs it.
`default_nettype none

module quaver_blocks #(
    parameter integer COLS          = 8,
    parameter integer FORMAT        = 1,
    parameter integer PSUM_LATENCY  = 32,
    parameter integer SCALE_LATENCY = 3,
    parameter integer ADD_LATENCY   = 4,
    // Derived; leave it alone.
    parameter integer SCALE_W       = (FORMAT == 3) ? 32 : 8
) (
    input  wire                      clk_i,
    input  wire                      rst_ni,
    input  wire                      restart_i,
    input  wire                      promote_i,
    input  wire [SCALE_W-1:0]        scale_a_i,
    input  wire                      load_i,
    input  wire [COLS*SCALE_W-1:0]   scale_b_i,
    input  wire                      swap_i,
    input  wire [COLS*64-1:0]        word_i,
    output wire [COLS*32-1:0]        psum_o,
    input  wire [COLS*32-1:0]        psum_i,
    output wire [COLS*64-1:0]        word_o
);
    localparam integer FLAGS_W        = 3 + SCALE_W;
    localparam integer FACTOR_W       = (FORMAT == 1) ? 11 : 32;
    // The factor is there when the row leaves the array.
    localparam integer FACTOR_LATENCY = (PSUM_LATENCY < 3) ? PSUM_LATENCY : 3;

    reg [COLS*SCALE_W-1:0] loaded_q;

    always @(posedge clk_i) begin
        if (!rst_ni)     loaded_q <= {COLS*SCALE_W{1'b0}};
        else if (load_i) loaded_q <= scale_b_i;
    end

    // {restart, promote, swap, scale of A} as they are with word_i of a column.
    wire [FLAGS_W*(COLS+1)-1:0] flags;

    assign flags[FLAGS_W-1:0] =
        {restart_i, promote_i, swap_i, promote_i ? scale_a_i : {SCALE_W{1'b0}}};

    genvar col;
    generate
        for (col = 0; col < COLS; col = col + 1) begin : gen_column
            wire                restart, promote, swap, promote_late;
            wire [SCALE_W-1:0]  scale_a;
            wire [31:0]         outer_late;
            wire [FACTOR_W-1:0] factor, factor_late;
            reg  [SCALE_W-1:0]  scale_b_q;

            quaver_delay #(.WIDTH(FLAGS_W), .CLOCKS(1)) u_flags (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      (flags[FLAGS_W*col +: FLAGS_W]),
                .q_o      (flags[FLAGS_W*(col+1) +: FLAGS_W])
            );

            assign {restart, promote, swap, scale_a} = flags[FLAGS_W*(col+1) +: FLAGS_W];
            assign psum_o[32*col +: 32] = restart ? 32'd0 : word_i[64*col +: 32];

            always @(posedge clk_i) begin
                if (!rst_ni)   scale_b_q <= {SCALE_W{1'b0}};
                else if (swap) scale_b_q <= loaded_q[SCALE_W*col +: SCALE_W];
            end

            quaver_block_factor #(
                .FORMAT  (FORMAT),
                .LATENCY (FACTOR_LATENCY)
            ) u_factor (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .scale_a_i (scale_a),
                .scale_b_i (scale_b_q),
                .factor_o  (factor)
            );

            quaver_delay #(.WIDTH(FACTOR_W), .CLOCKS(PSUM_LATENCY - FACTOR_LATENCY)) u_factor_past (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      (factor),
                .q_o      (factor_late)
            );

            quaver_delay #(.WIDTH(33), .CLOCKS(PSUM_LATENCY)) u_past (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      ({promote, word_i[64*col+32 +: 32]}),
                .q_o      ({promote_late, outer_late})
            );

            quaver_block_promote #(
                .FORMAT        (FORMAT),
                .SCALE_LATENCY (SCALE_LATENCY),
                .ADD_LATENCY   (ADD_LATENCY)
            ) u_promote (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .psum_i    ({outer_late, psum_i[32*col +: 32]}),
                .promote_i (promote_late),
                .factor_i  (factor_late),
                .psum_o    (word_o[64*col +: 64])
            );
        end
    endgenerate
endmodule

`default_nettype wire
