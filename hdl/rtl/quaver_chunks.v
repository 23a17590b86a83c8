// The two levels of a chunked accumulator, between the partial-sum memory and the
// array (numerics.md, rule 4.5).
//
// A word of the memory is {outer, inner}, both FP32. The inner sum goes through the
// array, and from +0 where a chunk begins; the outer one goes past it, and takes the
// inner one in where a chunk is complete.
//
//   restart_i, promote_i   of the row that column 0 reads in this clock; column c's
//                          come c clocks later
//   word_i, psum_o   from the memory, to the array: column c's, 1 + c clocks after the
//                    flags
//   psum_i, word_o   from the array, PSUM_LATENCY clocks after psum_o; to the memory,
//                    LATENCY clocks later
`default_nettype none

module quaver_chunks #(
    parameter integer COLS         = 8,
    parameter integer PSUM_LATENCY = 32,
    parameter integer LATENCY      = 4
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,
    input  wire                  restart_i,
    input  wire                  promote_i,
    input  wire [COLS*64-1:0]    word_i,
    output wire [COLS*32-1:0]    psum_o,
    input  wire [COLS*32-1:0]    psum_i,
    output wire [COLS*64-1:0]    word_o
);
    // {restart, promote} as they are with word_i of a column.
    wire [2*(COLS+1)-1:0] flags;

    assign flags[1:0] = {restart_i, promote_i};

    genvar col;
    generate
        for (col = 0; col < COLS; col = col + 1) begin : gen_column
            wire        restart, promote, promote_late;
            wire [31:0] outer_late;

            quaver_delay #(.WIDTH(2), .CLOCKS(1)) u_flags (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      (flags[2*col +: 2]),
                .q_o      (flags[2*(col+1) +: 2])
            );

            assign {restart, promote} = flags[2*(col+1) +: 2];
            assign psum_o[32*col +: 32] = restart ? 32'd0 : word_i[64*col +: 32];

            quaver_delay #(.WIDTH(33), .CLOCKS(PSUM_LATENCY)) u_past (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (1'b1),
                .d_i      ({promote, word_i[64*col+32 +: 32]}),
                .q_o      ({promote_late, outer_late})
            );

            quaver_promote #(
                .LATENCY (LATENCY)
            ) u_promote (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .psum_i    ({outer_late, psum_i[32*col +: 32]}),
                .promote_i (promote_late),
                .psum_o    (word_o[64*col +: 64])
            );
        end
    endgenerate
endmodule

`default_nettype wire
