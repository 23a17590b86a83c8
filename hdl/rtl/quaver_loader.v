// Loads the shadow weights, tile after tile, from s_axis_b.
//
//   start_i, m_i, n_i, k_i, format_b_i   the job
//   shift_o, weight_o   to the array: a word a column, one clock after its beat
//   loaded_o            the shadow weights of the next tile are complete
//   swap_i              the launcher sent the swap; only when loaded_o
//   stall_o             a beat is wanted and not there
//
// A tile is always ROWS shifts: the beats of the rows that hold a term of K, in
// ascending order, then words that are all zero (not valid), which need no beat.
// The first word of a tile ends in row 0.
//
// The swap that is sent at clock t is at the last PE at clock
// t + 1 + (ROWS-1)*PE_LATENCY + COLS-1, and acts at its end. From that clock on
// beats are taken again (and shift one clock later), so tiles follow each other
// every  (ROWS-1)*PE_LATENCY + COLS + ROWS  clocks or slower.
`default_nettype none

module quaver_loader #(
    parameter integer                ROWS         = 8,
    parameter integer                COLS         = 8,
    parameter integer                LANES        = 1,
    parameter integer                PE_LATENCY   = 4,
    parameter integer                TILE_ROWS    = 256,
    parameter integer                EXP_W        = 5,
    parameter integer                SIG_W        = 4,
    parameter integer                NORMALISE    = 1,
    parameter integer                EXP_FLOOR    = -1024,
    parameter integer                EXP_BASE     = 0,
    parameter integer                FORMAT_COUNT = 1,
    parameter [40*FORMAT_COUNT-1:0]  FORMAT_TABLE = 40'h00_100E_3400,
    // Derived; leave them alone.
    parameter integer                INDEX_W      = (FORMAT_COUNT > 1) ? $clog2(FORMAT_COUNT) : 1,
    parameter integer                OPERAND_W    = 3 + EXP_W + SIG_W
) (
    input  wire                                  clk_i,
    input  wire                                  rst_ni,

    input  wire                                  start_i,
    input  wire [31:0]                           m_i,
    input  wire [31:0]                           n_i,
    input  wire [31:0]                           k_i,
    input  wire [INDEX_W-1:0]                    format_b_i,

    input  wire [COLS*LANES*8-1:0]               s_axis_b_tdata,
    input  wire                                  s_axis_b_tvalid,
    output wire                                  s_axis_b_tready,

    output wire                                  shift_o,
    output wire [COLS*LANES*(1+OPERAND_W)-1:0]   weight_o,

    output wire                                  loaded_o,
    input  wire                                  swap_i,
    output wire                                  stall_o
);
    localparam integer TILE_K      = ROWS * LANES;
    localparam integer TERMS_W     = $clog2(TILE_K + 1);
    localparam integer COLS_W      = $clog2(COLS + 1);
    localparam integer ROW_W       = (TILE_ROWS > 1) ? $clog2(TILE_ROWS) : 1;
    localparam integer COUNT_W     = (ROWS > 1) ? $clog2(ROWS) : 1;
    localparam integer LAST_SHIFT  = ROWS - 1;
    localparam integer SWAP_TRAVEL = (ROWS - 1) * PE_LATENCY + COLS - 1;
    localparam integer TRAVEL_W    = (SWAP_TRAVEL > 0) ? $clog2(SWAP_TRAVEL + 1) : 1;
    localparam integer WEIGHT_W    = 1 + OPERAND_W;

    wire               tile_valid;
    wire [TERMS_W-1:0] tile_terms;
    wire [ROW_W-1:0]   unused_last_row;
    wire [COLS_W-1:0]  unused_cols;
    wire               unused_first_m, unused_first_k, unused_last_k, unused_last;

    reg [COUNT_W-1:0]             count_q;
    reg                           loaded_q;
    reg [TRAVEL_W-1:0]            travel_q;
    reg                           shift_q;
    reg [COLS*LANES*WEIGHT_W-1:0] weight_q;

    // Terms of K that are in the array row of this shift.
    wire [LANES-1:0] present;

    wire may_shift  = tile_valid && !loaded_q && travel_q == {TRAVEL_W{1'b0}};
    wire wants_beat = may_shift && present[0];
    wire shift      = may_shift && (!present[0] || s_axis_b_tvalid);
    wire last_shift = shift && count_q == LAST_SHIFT[COUNT_W-1:0];

    quaver_tile_iterator #(
        .TILE_M (TILE_ROWS),
        .TILE_N (COLS),
        .TILE_K (TILE_K)
    ) u_tiles (
        .clk_i      (clk_i),
        .rst_ni     (rst_ni),
        .start_i    (start_i),
        .m_i        (m_i),
        .n_i        (n_i),
        .k_i        (k_i),
        .take_i     (last_shift),
        .valid_o    (tile_valid),
        .last_row_o (unused_last_row),
        .cols_o     (unused_cols),
        .terms_o    (tile_terms),
        .first_m_o  (unused_first_m),
        .first_k_o  (unused_first_k),
        .last_k_o   (unused_last_k),
        .last_o     (unused_last)
    );

    genvar col, lane;
    wire [COLS*LANES*WEIGHT_W-1:0] weight;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : gen_lane
            assign present[lane] = count_q * LANES + lane < {{32-TERMS_W{1'b0}}, tile_terms};

            for (col = 0; col < COLS; col = col + 1) begin : gen_col
                wire [OPERAND_W-1:0] operand;

                quaver_decode_select #(
                    .FORMAT_COUNT (FORMAT_COUNT),
                    .FORMAT_TABLE (FORMAT_TABLE),
                    .EXP_W        (EXP_W),
                    .SIG_W        (SIG_W),
                    .NORMALISE    (NORMALISE),
                    .EXP_FLOOR    (EXP_FLOOR),
                    .EXP_BASE     (EXP_BASE)
                ) u_decode (
                    .format_i  (format_b_i),
                    .code_i    (s_axis_b_tdata[8*(LANES*col+lane) +: 8]),
                    .operand_o (operand)
                );

                assign weight[WEIGHT_W*(LANES*col+lane) +: WEIGHT_W] =
                    present[lane] ? {1'b1, operand} : {WEIGHT_W{1'b0}};
            end
        end
    endgenerate

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            count_q  <= {COUNT_W{1'b0}};
            loaded_q <= 1'b0;
            travel_q <= {TRAVEL_W{1'b0}};
            shift_q  <= 1'b0;
            weight_q <= {COLS*LANES*WEIGHT_W{1'b0}};
        end else begin
            if (last_shift) count_q <= {COUNT_W{1'b0}};
            else if (shift) count_q <= count_q + 1'b1;

            if (last_shift)  loaded_q <= 1'b1;
            else if (swap_i) loaded_q <= 1'b0;

            if (swap_i)                             travel_q <= SWAP_TRAVEL[TRAVEL_W-1:0];
            else if (travel_q != {TRAVEL_W{1'b0}})  travel_q <= travel_q - 1'b1;

            shift_q <= shift;
            if (shift) weight_q <= weight;
        end
    end

    assign s_axis_b_tready = wants_beat;
    assign stall_o         = wants_beat && !s_axis_b_tvalid;
    assign shift_o         = shift_q;
    assign weight_o        = weight_q;
    assign loaded_o        = loaded_q;
endmodule

`default_nettype wire
