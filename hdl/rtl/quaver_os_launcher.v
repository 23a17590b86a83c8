// Sends the operands of A from s_axis_a into the output-stationary array, and says when
// sums are loaded and unloaded.
//
//   start_i, m_i, n_i, k_i, format_a_i, init_i   the job
//   loaded_i, take_i    the loader has the next step of B; take_o: the step begins
//   bank_ready_i        the banks whose initial values are complete
//   claim_o, claim_bank_o   a bank's sums are loaded from now on
//   read_o, read_bank_o   its initial values are read from the next clock on
//   write_o, write_bank_o   a tile's results are written from the next clock on
//   launch_o            a slot's operands are sent
//   valid_o ... promote_o, operand_o   to the skew, one clock later; see quaver_os_pe
//   stall_o             a beat is wanted and not there
//
// A rotation is SLOTS clocks, in which each slot of the sums in a PE has its turn
// once. A step of K takes LANES terms of every row of the tile: one beat, of ROWS rows, a
// slot. A slot whose beat is late waits for its turn in the next rotation, and those
// after it with it; sums that have nothing to add go round unchanged.
//
// In the last clock of a rotation, for the next one:
//
//   the next step of B replaces one that is complete
//   a complete tile is unloaded, when the chain is past the unload before, ROWS rotations
//   the next tile is loaded, not before the one at hand is unloaded, and when its bank is
//   ready. Initial values need READ_ROTATIONS more: row 0's, the first, are
//   ROWS - 1 clocks under way.
//
// So, when nothing stalls and no initial values are read, a rotation may unload a tile,
// load the next and add its first products.
`default_nettype none

module quaver_os_launcher #(
    parameter integer                ROWS         = 8,
    parameter integer                COLS         = 8,
    parameter integer                LANES        = 1,
    parameter integer                SLOTS        = 4,
    parameter integer                EXP_W        = 5,
    parameter integer                SIG_W        = 4,
    parameter integer                NORMALISE    = 1,
    parameter integer                EXP_FLOOR    = -1024,
    parameter integer                EXP_BASE     = 0,
    parameter integer                FORMAT_COUNT = 1,
    parameter [40*FORMAT_COUNT-1:0]  FORMAT_TABLE = 40'h00_100E_3400,
    // Steps of a chunk; 0: the accumulator is not chunked.
    parameter integer                CHUNK_STEPS  = 0,
    // Derived; leave them alone.
    parameter integer                INDEX_W      = (FORMAT_COUNT > 1) ? $clog2(FORMAT_COUNT) : 1,
    parameter integer                OPERAND_W    = 3 + EXP_W + SIG_W
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
    output wire                              take_o,

    input  wire [1:0]                        bank_ready_i,
    output wire                              claim_o,
    output wire                              claim_bank_o,
    output wire                              read_o,
    output wire                              read_bank_o,
    output wire                              write_o,
    output wire                              write_bank_o,

    output wire                              launch_o,
    output wire                              valid_o,
    output wire                              step_o,
    output wire                              load_o,
    output wire                              unload_o,
    output wire                              restart_o,
    output wire                              promote_o,
    output wire [ROWS*LANES*OPERAND_W-1:0]   operand_o,
    output wire                              stall_o
);
    localparam integer TILE_ROWS      = ROWS * SLOTS;
    localparam integer TERMS_W        = $clog2(LANES + 1);
    localparam integer COLS_W         = $clog2(COLS + 1);
    localparam integer ROW_W          = $clog2(TILE_ROWS);
    localparam integer SLOT_W         = $clog2(SLOTS);
    localparam integer OPERANDS_W     = ROWS * LANES * OPERAND_W;
    localparam integer LAST_SLOT      = SLOTS - 1;
    // The first step of a job may begin three clocks after start_i.
    localparam integer FIRST_PHASE    = (2 * SLOTS - 3) % SLOTS;
    localparam integer READ_ROTATIONS = (ROWS - 1 + SLOTS - 1) / SLOTS;
    // From the first clock of those rotations to the read of the first row.
    localparam integer READ_CLOCKS    = READ_ROTATIONS * SLOTS + 1 - ROWS;
    localparam integer ROTATIONS_W    = $clog2(ROWS + 1);
    localparam integer LAST_WAIT      = 1;
    localparam integer CHAIN          = ROWS - 1;
    // From the decision to unload to the clock before the first row leaves the chain.
    localparam integer WRITE_CLOCKS   = 2;

    wire               tile_valid;
    wire [ROW_W-1:0]   tile_last_row;
    wire [TERMS_W-1:0] tile_terms;
    wire               tile_last_k, tile_last;
    wire [COLS_W-1:0]  unused_cols;
    wire               unused_first_m, unused_first_k;

    reg [SLOT_W-1:0]      phase_q;      // the slot whose turn it is in row 0
    reg [SLOT_W-1:0]      slot_q;       // the slot that is launched next
    reg                   step_q;       // its step is in the array
    reg                   sums_q;       // the tile's sums are loaded, or will be
    reg [ROTATIONS_W-1:0] load_wait_q;  // rotations until then
    reg                   complete_q;   // a tile waits to be unloaded
    reg [ROTATIONS_W-1:0] init_busy_q;  // rotations until the chains are free
    reg [ROTATIONS_W-1:0] result_busy_q;
    reg                   claim_bank_q, write_bank_q;
    reg                   loading_q, unloading_q;

    // To the array.
    reg                   valid_q, take_q, load_q, unload_q, restart_q, promote_q;
    reg [OPERANDS_W-1:0]  operand_q;

    // ---- Slots -------------------------------------------------------------------

    wire turn       = phase_q == LAST_SLOT[SLOT_W-1:0];
    wire sums_ready = sums_q && load_wait_q == {ROTATIONS_W{1'b0}};
    wire may_launch = tile_valid && step_q && sums_ready && slot_q == phase_q;
    wire needs_beat = tile_terms != {TERMS_W{1'b0}};
    wire launch     = may_launch && (!needs_beat || s_axis_a_tvalid);

    // A slot holds ROWS rows of the tile: this is the last one that holds any.
    wire [31:0] next_slot_row = ({{32-SLOT_W{1'b0}}, slot_q} + 32'd1) * ROWS;
    wire        last_slot     = {{32-ROW_W{1'b0}}, tile_last_row} < next_slot_row;
    wire        end_step      = launch && last_slot;
    wire        end_tile      = end_step && tile_last_k;

    // ---- Rotations ---------------------------------------------------------------

    wire take         = turn && loaded_i && (!step_q || end_step);
    wire unload       = turn && (complete_q || end_tile) && result_busy_q == {ROTATIONS_W{1'b0}};
    wire unloaded     = unload || !(complete_q || end_tile);
    wire wants_load   = end_tile ? !tile_last : tile_valid && !sums_q;
    wire load         = turn && wants_load && unloaded && bank_ready_i[claim_bank_q]
                        && init_busy_q == {ROTATIONS_W{1'b0}};
    wire load_waits   = init_i && READ_ROTATIONS != 0;
    wire load_begins  = turn && (load ? !load_waits : load_wait_q == LAST_WAIT[ROTATIONS_W-1:0]);

    quaver_tile_iterator #(
        .TILE_M (TILE_ROWS),
        .TILE_N (COLS),
        .TILE_K (LANES)
    ) u_steps (
        .clk_i      (clk_i),
        .rst_ni     (rst_ni),
        .start_i    (start_i),
        .m_i        (m_i),
        .n_i        (n_i),
        .k_i        (k_i),
        .take_i     (end_step),
        .valid_o    (tile_valid),
        .last_row_o (tile_last_row),
        .cols_o     (unused_cols),
        .terms_o    (tile_terms),
        .first_m_o  (unused_first_m),
        .first_k_o  (unused_first_k),
        .last_k_o   (tile_last_k),
        .last_o     (tile_last)
    );

    quaver_delay #(.WIDTH(2), .CLOCKS(READ_CLOCKS)) u_read (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (1'b1),
        .d_i      ({load && init_i, claim_bank_q}),
        .q_o      ({read_o, read_bank_o})
    );

    quaver_delay #(.WIDTH(2), .CLOCKS(WRITE_CLOCKS)) u_write (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (1'b1),
        .d_i      ({unload, write_bank_q}),
        .q_o      ({write_o, write_bank_o})
    );

    // ---- Operands ----------------------------------------------------------------

    genvar term;
    wire [OPERANDS_W-1:0] operand;
    generate
        for (term = 0; term < ROWS * LANES; term = term + 1) begin : gen_term
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

    wire restart, promote;
    generate
        if (CHUNK_STEPS > 0) begin : gen_chunks
            localparam integer CHUNK_W    = (CHUNK_STEPS > 1) ? $clog2(CHUNK_STEPS) : 1;
            localparam integer LAST_CHUNK = CHUNK_STEPS - 1;

            reg [CHUNK_W-1:0] chunk_step_q;
            wire              chunk_ends = tile_last_k || chunk_step_q == LAST_CHUNK[CHUNK_W-1:0];

            always @(posedge clk_i) begin
                if (!rst_ni)       chunk_step_q <= {CHUNK_W{1'b0}};
                else if (end_step) chunk_step_q <= chunk_ends ? {CHUNK_W{1'b0}} : chunk_step_q + 1'b1;
            end

            assign restart = launch && chunk_step_q == {CHUNK_W{1'b0}};
            assign promote = launch && chunk_ends && needs_beat;
        end else begin : gen_no_chunks
            assign restart = 1'b0;
            assign promote = 1'b0;
        end
    endgenerate

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            phase_q       <= {SLOT_W{1'b0}};
            slot_q        <= {SLOT_W{1'b0}};
            step_q        <= 1'b0;
            sums_q        <= 1'b0;
            load_wait_q   <= {ROTATIONS_W{1'b0}};
            complete_q    <= 1'b0;
            init_busy_q   <= {ROTATIONS_W{1'b0}};
            result_busy_q <= {ROTATIONS_W{1'b0}};
            claim_bank_q  <= 1'b0;
            write_bank_q  <= 1'b0;
            loading_q     <= 1'b0;
            unloading_q   <= 1'b0;
            valid_q       <= 1'b0;
            take_q        <= 1'b0;
            load_q        <= 1'b0;
            unload_q      <= 1'b0;
            restart_q     <= 1'b0;
            promote_q     <= 1'b0;
            operand_q     <= {OPERANDS_W{1'b0}};
        end else begin
            if (start_i)   phase_q <= FIRST_PHASE[SLOT_W-1:0];
            else if (turn) phase_q <= {SLOT_W{1'b0}};
            else           phase_q <= phase_q + 1'b1;

            if (end_step)    slot_q <= {SLOT_W{1'b0}};
            else if (launch) slot_q <= slot_q + 1'b1;

            if (take)          step_q <= 1'b1;
            else if (end_step) step_q <= 1'b0;

            if (load)          sums_q <= 1'b1;
            else if (end_tile) sums_q <= 1'b0;

            if (load)
                load_wait_q <= load_waits ? READ_ROTATIONS[ROTATIONS_W-1:0] : {ROTATIONS_W{1'b0}};
            else if (turn && load_wait_q != {ROTATIONS_W{1'b0}})
                load_wait_q <= load_wait_q - 1'b1;

            if (unload)        complete_q <= 1'b0;
            else if (end_tile) complete_q <= 1'b1;

            if (load && init_i)
                init_busy_q <= CHAIN[ROTATIONS_W-1:0];
            else if (turn && init_busy_q != {ROTATIONS_W{1'b0}})
                init_busy_q <= init_busy_q - 1'b1;

            if (unload)
                result_busy_q <= CHAIN[ROTATIONS_W-1:0];
            else if (turn && result_busy_q != {ROTATIONS_W{1'b0}})
                result_busy_q <= result_busy_q - 1'b1;

            if (load)   claim_bank_q <= !claim_bank_q;
            if (unload) write_bank_q <= !write_bank_q;

            if (turn) begin
                loading_q   <= load_begins;
                unloading_q <= unload;
            end

            valid_q   <= launch;
            take_q    <= take;
            load_q    <= loading_q;
            unload_q  <= unloading_q;
            restart_q <= restart;
            promote_q <= promote;
            operand_q <= (launch && needs_beat) ? operand : {OPERANDS_W{1'b0}};
        end
    end

    assign s_axis_a_tready = may_launch && needs_beat;
    assign stall_o         = s_axis_a_tready && !s_axis_a_tvalid;
    assign take_o          = take;
    assign claim_o         = load;
    assign claim_bank_o    = claim_bank_q;
    assign launch_o        = launch;
    assign valid_o         = valid_q;
    assign step_o          = take_q;
    assign load_o          = load_q;
    assign unload_o        = unload_q;
    assign restart_o       = restart_q;
    assign promote_o       = promote_q;
    assign operand_o       = operand_q;
endmodule

`default_nettype wire
