// Launches the rows of A into the array, tile after tile, and swaps the weights.
//
//   start_i, m_i, n_i, k_i, format_a_i, init_i   the job
//   loaded_i     the shadow weights of the next tile are complete
//   swap_o       they become active: see below
//   bank_ready_i, claim_o   the state of the banks (PRELOADED), and the claim of
//                bank_o by the first row of its m tile
//   launch_o     a row is launched: row_o of bank_o; last_o is high with the last
//                row of the last k tile, and read_o when its partial sum is read
//                from the memory (else it starts from +0)
//   restart_o, promote_o   with launch_o: the row's inner sum starts from +0, and its
//                chunk ends with it (only with CHUNK_TILES)
//   retire_i     a row was written back in column 0
//   operand_o, swap_q_o   to row 0 .. ROWS-1 of the array, before the skew, one
//                clock after launch_o and swap_o; zero bits when nothing is launched
//   stall_o      a beat is wanted and not there
//
// A row is launched when the weights of its tile are active, its partial sum is
// in the memory, and its beat is there (a job with K = 0 has no beats). In the
// first k tile the sum is there once the bank is PRELOADED. In later k tiles it
// is there once the same row of the tile before has retired: rows retire in
// order, so that is when fewer rows than the tile has are in flight.
//
// The swap goes with the last row of the tile before, which still meets the old
// weights, or as soon afterwards as the new ones are loaded; the first row of
// the tile follows it from the next clock on.
`default_nettype none

module quaver_launcher #(
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
    // Clocks from the array's lower edge to the write-back.
    parameter integer                RETIRE_LATENCY = 0,
    // k tiles of a chunk; 0: the accumulator is not chunked.
    parameter integer                CHUNK_TILES  = 0,
    // Derived; leave them alone.
    parameter integer                INDEX_W      = (FORMAT_COUNT > 1) ? $clog2(FORMAT_COUNT) : 1,
    parameter integer                OPERAND_W    = 3 + EXP_W + SIG_W,
    parameter integer                ROW_W        = (TILE_ROWS > 1) ? $clog2(TILE_ROWS) : 1
) (
    input  wire                              clk_i,
    input  wire                              rst_ni,

    input  wire                              start_i,
    input  wire [31:0]                       m_i,
    input  wire [31:0]                       n_i,
    input  wire [31:0]                       k_i,
    input  wire [INDEX_W-1:0]                format_a_i,
    input  wire                              init_i,

    input  wire [ROWS*LANES*8-1:0]           s_axis_a_tdata,
    input  wire                              s_axis_a_tvalid,
    output wire                              s_axis_a_tready,

    input  wire                              loaded_i,
    output wire                              swap_o,

    input  wire [1:0]                        bank_ready_i,
    output wire                              claim_o,

    output wire                              launch_o,
    output wire                              read_o,
    output wire                              bank_o,
    output wire [ROW_W-1:0]                  row_o,
    output wire                              last_o,
    output wire                              restart_o,
    output wire                              promote_o,
    input  wire                              retire_i,

    output wire [ROWS*LANES*OPERAND_W-1:0]   operand_o,
    output wire                              swap_q_o,
    output wire                              stall_o
);
    localparam integer TILE_K     = ROWS * LANES;
    localparam integer TERMS_W    = $clog2(TILE_K + 1);
    localparam integer COLS_W     = $clog2(COLS + 1);
    // From the launch to the write-back in column 0: as many rows can be in flight.
    localparam integer FLIGHT     = 1 + ROWS * PE_LATENCY + RETIRE_LATENCY;
    localparam integer FLIGHT_W   = $clog2(FLIGHT + 1);
    localparam integer COMPARE_W  = (FLIGHT_W > ROW_W) ? FLIGHT_W : ROW_W;
    localparam integer OPERANDS_W = TILE_K * OPERAND_W;

    wire               tile_valid;
    wire [ROW_W-1:0]   tile_last_row;
    wire [TERMS_W-1:0] tile_terms;
    wire               tile_first_k, tile_last_k;
    wire [COLS_W-1:0]  unused_cols;
    wire               unused_first_m, unused_last;

    reg                  weights_q;     // the weights of this tile are active
    reg [ROW_W-1:0]      row_q;
    reg                  bank_q;
    reg [FLIGHT_W-1:0]   in_flight_q;
    reg [OPERANDS_W-1:0] operand_q;
    reg                  swap_q;

    wire first_row = row_q == {ROW_W{1'b0}};
    wire last_row  = row_q == tile_last_row;

    wire [COMPARE_W-1:0] in_flight_wide = {{COMPARE_W-FLIGHT_W{1'b0}}, in_flight_q};
    wire [COMPARE_W-1:0] last_row_wide  = {{COMPARE_W-ROW_W{1'b0}}, tile_last_row};

    wire sum_ready  = tile_first_k ? !first_row || bank_ready_i[bank_q]
                                   : in_flight_wide <= last_row_wide;
    wire may_launch = tile_valid && weights_q && sum_ready;
    wire needs_beat = tile_terms != {TERMS_W{1'b0}};
    wire launch     = may_launch && (!needs_beat || s_axis_a_tvalid);
    wire end_tile   = launch && last_row;
    wire swap       = loaded_i && (!weights_q || end_tile);

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
        .take_i     (end_tile),
        .valid_o    (tile_valid),
        .last_row_o (tile_last_row),
        .cols_o     (unused_cols),
        .terms_o    (tile_terms),
        .first_m_o  (unused_first_m),
        .first_k_o  (tile_first_k),
        .last_k_o   (tile_last_k),
        .last_o     (unused_last)
    );

    genvar term;
    wire [OPERANDS_W-1:0] operand;
    generate
        for (term = 0; term < TILE_K; term = term + 1) begin : gen_term
            quaver_decode_select #(
                .FORMAT_COUNT (FORMAT_COUNT),
                .FORMAT_TABLE (FORMAT_TABLE),
                .EXP_W        (EXP_W),
                .SIG_W        (SIG_W),
                .NORMALISE    (NORMALISE),
                .EXP_FLOOR    (EXP_FLOOR),
                .EXP_BASE     (EXP_BASE)
            ) u_decode (
                .format_i  (format_a_i),
                .code_i    (s_axis_a_tdata[8*term +: 8]),
                .operand_o (operand[OPERAND_W*term +: OPERAND_W])
            );
        end
    endgenerate

    generate
        if (CHUNK_TILES > 0) begin : gen_chunks
            localparam integer CHUNK_W    = (CHUNK_TILES > 1) ? $clog2(CHUNK_TILES) : 1;
            localparam integer LAST_CHUNK = CHUNK_TILES - 1;

            reg [CHUNK_W-1:0] chunk_tile_q;
            wire              chunk_ends = tile_last_k || chunk_tile_q == LAST_CHUNK[CHUNK_W-1:0];

            always @(posedge clk_i) begin
                if (!rst_ni)       chunk_tile_q <= {CHUNK_W{1'b0}};
                else if (end_tile) chunk_tile_q <= chunk_ends ? {CHUNK_W{1'b0}} : chunk_tile_q + 1'b1;
            end

            assign restart_o = launch && chunk_tile_q == {CHUNK_W{1'b0}};
            assign promote_o = launch && chunk_ends && needs_beat;
        end else begin : gen_no_chunks
            assign restart_o = 1'b0;
            assign promote_o = 1'b0;
        end
    endgenerate

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            weights_q   <= 1'b0;
            row_q       <= {ROW_W{1'b0}};
            bank_q      <= 1'b0;
            in_flight_q <= {FLIGHT_W{1'b0}};
            operand_q   <= {OPERANDS_W{1'b0}};
            swap_q      <= 1'b0;
        end else begin
            if (swap)          weights_q <= 1'b1;
            else if (end_tile) weights_q <= 1'b0;

            if (end_tile)    row_q <= {ROW_W{1'b0}};
            else if (launch) row_q <= row_q + 1'b1;

            if (end_tile && tile_last_k) bank_q <= !bank_q;

            if (launch && !retire_i)      in_flight_q <= in_flight_q + 1'b1;
            else if (!launch && retire_i) in_flight_q <= in_flight_q - 1'b1;

            operand_q <= (launch && needs_beat) ? operand : {OPERANDS_W{1'b0}};
            swap_q    <= swap;
        end
    end

    assign s_axis_a_tready = may_launch && needs_beat;
    assign stall_o         = s_axis_a_tready && !s_axis_a_tvalid;
    assign swap_o          = swap;
    assign claim_o         = launch && tile_first_k && first_row;
    assign launch_o        = launch;
    assign read_o          = launch && (init_i || !tile_first_k);
    assign bank_o          = bank_q;
    assign row_o           = row_q;
    assign last_o          = last_row && tile_last_k;
    assign operand_o       = operand_q;
    assign swap_q_o        = swap_q;
endmodule

`default_nettype wire
