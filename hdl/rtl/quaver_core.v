// The weight-stationary GEMM core:
//
//   D[M,N] = convert(relu(scale * (init + A[M,K] * B[K,N]) + bias))
//
//   s_axil     control and status registers (see quaver_csr)
//   s_axis_a   rows of A      s_axis_c   rows of initial values, FP32
//   s_axis_b   rows of B      s_axis_p   scales and biases of columns, FP32
//   m_axis_d   rows of D, 32 bits a column
//   irq_o      STATUS.done or STATUS.bad_job, until the next start or abort
//
// The order of the beats: for each n tile (COLS columns), for each m tile
// (TILE_ROWS rows), for each k tile (ROWS * LANES terms).
//
// One row of a k tile, launched at clock t, in column c:
//
//   t                          s_axis_a is taken and decoded; column 0 of the
//                              partial-sum memory is read (column c at t + c)
//   t + 1 + c                  operand and partial sum are at row 0 of the array
//   t + 1 + c + r*PE_LATENCY   ... at row r
//   t + 1 + c + ROWS*PE_LATENCY   the partial sum leaves the array and is written
//   t + 2 + ROWS*PE_LATENCY    the same row of the next k tile may be launched
//
// If it is the last row of its m tile's last k tile, and the drain is free:
//
//   t + 1 + ROWS*PE_LATENCY + COLS-1    the last column is written
//   u = t + 1 + ROWS*PE_LATENCY + COLS  its bank is COMPUTED; its first row is read
//   u + 1                               that row is at the multipliers
//   u + 1 + SCALE_LATENCY + BIAS_LATENCY + CONVERT_LATENCY   ... on m_axis_d
//
// A chunked accumulator writes 4 clocks later, a core with scales of blocks 7, and an
// exact accumulator has 4 clocks more in the drain. ACCUMULATOR: see quaver_pe;
// NORMALISE, EXP_FLOOR and EXP_BASE: see quaver_decode; the generator makes them, and
// PSUM_W, EXACT_FIELD and K_MAX, from the accumulator and the formats.
//
// With BLOCK_FORMAT (see quaver_block_factor; 0: none) every beat of A has the row's
// scale of the block in tuser, and every beat of B those of the columns. A block is
// CHUNK_TILES k tiles.
//
// CONTROL.start is written at clock s (see quaver_control). STATUS.busy is set from s + 1,
// the walkers begin at s + 2, and their first tiles are there at s + 4. If beats
// are there too, the loader takes the first tile's at s + 4 to s + 3 + ROWS, the
// launcher sends the swap at s + 4 + ROWS and its first row at s + 5 + ROWS.
`default_nettype none

module quaver_core #(
    parameter integer                ROWS            = 8,
    parameter integer                COLS            = 8,
    parameter integer                LANES           = 1,
    parameter integer                PE_LATENCY      = 4,
    parameter integer                TILE_ROWS       = 256,
    parameter integer                EXP_W           = 5,
    parameter integer                SIG_W           = 4,
    parameter integer                NORMALISE       = 1,
    parameter integer                EXP_FLOOR       = -1024,
    parameter integer                EXP_BASE        = 0,
    parameter [95:0]                 ACCUMULATOR     = 96'd0,
    parameter integer                PSUM_W          = 32,
    parameter integer                EXACT_FIELD     = 0,
    parameter integer                CHUNK_TILES     = 0,
    parameter integer                BLOCK_FORMAT    = 0,
    parameter [31:0]                 K_MAX           = 32'd0,
    parameter [31:0]                 FP32_NAN        = 32'h7FC0_0000,
    parameter integer                FORMAT_COUNT    = 1,
    parameter [40*FORMAT_COUNT-1:0]  FORMAT_TABLE    = 40'h00_100E_3400,
    parameter integer                OUTPUT_COUNT    = 1,
    parameter [40*OUTPUT_COUNT-1:0]  OUTPUT_TABLE    = 40'h00_48FF_7800,
    parameter integer                SCALE_LATENCY   = 3,
    parameter integer                BIAS_LATENCY    = 4,
    parameter integer                CONVERT_LATENCY = 2,
    // Derived; leave it alone.
    parameter integer                BLOCK_SCALE_W   = (BLOCK_FORMAT == 3) ? 32 : 8
) (
    input  wire                      clk_i,
    input  wire                      rst_ni,

    input  wire [11:0]               s_axil_awaddr,
    input  wire [2:0]                s_axil_awprot,
    input  wire                      s_axil_awvalid,
    output wire                      s_axil_awready,
    input  wire [31:0]               s_axil_wdata,
    input  wire [3:0]                s_axil_wstrb,
    input  wire                      s_axil_wvalid,
    output wire                      s_axil_wready,
    output wire [1:0]                s_axil_bresp,
    output wire                      s_axil_bvalid,
    input  wire                      s_axil_bready,
    input  wire [11:0]               s_axil_araddr,
    input  wire [2:0]                s_axil_arprot,
    input  wire                      s_axil_arvalid,
    output wire                      s_axil_arready,
    output wire [31:0]               s_axil_rdata,
    output wire [1:0]                s_axil_rresp,
    output wire                      s_axil_rvalid,
    input  wire                      s_axil_rready,

    input  wire [ROWS*LANES*8-1:0]   s_axis_a_tdata,
    input  wire [BLOCK_SCALE_W-1:0]  s_axis_a_tuser,
    input  wire                      s_axis_a_tvalid,
    output wire                      s_axis_a_tready,

    input  wire [COLS*LANES*8-1:0]   s_axis_b_tdata,
    input  wire [COLS*BLOCK_SCALE_W-1:0] s_axis_b_tuser,
    input  wire                      s_axis_b_tvalid,
    output wire                      s_axis_b_tready,

    input  wire [COLS*32-1:0]        s_axis_c_tdata,
    input  wire                      s_axis_c_tvalid,
    output wire                      s_axis_c_tready,

    input  wire [COLS*32-1:0]        s_axis_p_tdata,
    input  wire                      s_axis_p_tvalid,
    output wire                      s_axis_p_tready,

    output wire [COLS*32-1:0]        m_axis_d_tdata,
    output wire [COLS*4-1:0]         m_axis_d_tkeep,
    output wire                      m_axis_d_tlast,
    output wire                      m_axis_d_tvalid,
    input  wire                      m_axis_d_tready,

    output wire                      irq_o
);
    localparam integer OPERAND_W      = 3 + EXP_W + SIG_W;
    localparam integer OPERANDS_W     = LANES * OPERAND_W;
    localparam integer ROW_W          = (TILE_ROWS > 1) ? $clog2(TILE_ROWS) : 1;
    localparam integer COLS_W         = $clog2(COLS + 1);
    localparam integer INDEX_W        = (FORMAT_COUNT > 1) ? $clog2(FORMAT_COUNT) : 1;
    localparam integer OUTPUT_INDEX_W = (OUTPUT_COUNT > 1) ? $clog2(OUTPUT_COUNT) : 1;

    // Exact sums take init when they are rounded, in the drain. Chunked ones, and those
    // of blocks with scales, have two words of FP32 in the memory, and arithmetic between
    // the array and the memory.
    localparam integer EXACT          = (ACCUMULATOR[3:0] == 4'd4) ? 1 : 0;
    localparam integer CHUNKED        = (CHUNK_TILES > 0) ? 1 : 0;
    localparam integer MEMORY_W       = (CHUNKED != 0) ? 64 : PSUM_W;
    localparam integer SUM_W          = (EXACT != 0) ? PSUM_W : 32;
    localparam integer BLOCK_LATENCY  = 3;
    localparam integer CHUNK_LATENCY  = 4;
    localparam integer RETIRE_LATENCY = (BLOCK_FORMAT != 0) ? BLOCK_LATENCY + CHUNK_LATENCY :
                                        (CHUNKED != 0)      ? CHUNK_LATENCY : 0;

    localparam [1:0]  SCALE_TENSOR    = 2'd1;
    localparam [1:0]  SCALE_COLUMNS   = 2'd2;

    // ---- Control ---------------------------------------------------------

    wire                      job_rst_n, start;
    wire [31:0]               m, n, k;
    wire [INDEX_W-1:0]        format_a, format_b;
    wire [OUTPUT_INDEX_W-1:0] format_d;
    wire [2:0]                rounding;
    wire [1:0]                overflow, infinity;
    wire                      init, bias, relu;
    wire [1:0]                scale_mode;
    wire [31:0]               scale;

    wire launch;
    wire loader_stall, launcher_stall, preloader_stall, drain_control_stall, drain_stall;
    wire init_stall;

    quaver_control #(
        .ROWS         (ROWS),
        .COLS         (COLS),
        .LANES        (LANES),
        .PE_LATENCY   (PE_LATENCY),
        .TILE_ROWS    (TILE_ROWS),
        .K_MAX        (K_MAX),
        .FORMAT_COUNT (FORMAT_COUNT),
        .FORMAT_TABLE (FORMAT_TABLE),
        .OUTPUT_COUNT (OUTPUT_COUNT),
        .OUTPUT_TABLE (OUTPUT_TABLE)
    ) u_control (
        .clk_i          (clk_i),
        .rst_ni         (rst_ni),
        .s_axil_awaddr  (s_axil_awaddr),
        .s_axil_awprot  (s_axil_awprot),
        .s_axil_awvalid (s_axil_awvalid),
        .s_axil_awready (s_axil_awready),
        .s_axil_wdata   (s_axil_wdata),
        .s_axil_wstrb   (s_axil_wstrb),
        .s_axil_wvalid  (s_axil_wvalid),
        .s_axil_wready  (s_axil_wready),
        .s_axil_bresp   (s_axil_bresp),
        .s_axil_bvalid  (s_axil_bvalid),
        .s_axil_bready  (s_axil_bready),
        .s_axil_araddr  (s_axil_araddr),
        .s_axil_arprot  (s_axil_arprot),
        .s_axil_arvalid (s_axil_arvalid),
        .s_axil_arready (s_axil_arready),
        .s_axil_rdata   (s_axil_rdata),
        .s_axil_rresp   (s_axil_rresp),
        .s_axil_rvalid  (s_axil_rvalid),
        .s_axil_rready  (s_axil_rready),
        .finished_i     (m_axis_d_tvalid && m_axis_d_tready && m_axis_d_tlast),
        .event_i        ({drain_stall, drain_control_stall, preloader_stall || init_stall,
                          loader_stall, launcher_stall, launch}),
        .job_rst_no     (job_rst_n),
        .start_o        (start),
        .m_o            (m),
        .n_o            (n),
        .k_o            (k),
        .format_a_o     (format_a),
        .format_b_o     (format_b),
        .format_d_o     (format_d),
        .rounding_o     (rounding),
        .overflow_o     (overflow),
        .infinity_o     (infinity),
        .init_o         (init),
        .bias_o         (bias),
        .relu_o         (relu),
        .scale_mode_o   (scale_mode),
        .scale_o        (scale),
        .irq_o          (irq_o)
    );

    // ---- Sequencer -------------------------------------------------------

    wire                               shift, loaded, swap, swap_q;
    wire [COLS*LANES*(1+OPERAND_W)-1:0] weight;

    quaver_loader #(
        .ROWS         (ROWS),
        .COLS         (COLS),
        .LANES        (LANES),
        .PE_LATENCY   (PE_LATENCY),
        .TILE_ROWS    (TILE_ROWS),
        .EXP_W        (EXP_W),
        .SIG_W        (SIG_W),
        .NORMALISE    (NORMALISE),
        .EXP_FLOOR    (EXP_FLOOR),
        .EXP_BASE     (EXP_BASE),
        .FORMAT_COUNT (FORMAT_COUNT),
        .FORMAT_TABLE (FORMAT_TABLE)
    ) u_loader (
        .clk_i           (clk_i),
        .rst_ni          (job_rst_n),
        .start_i         (start),
        .m_i             (m),
        .n_i             (n),
        .k_i             (k),
        .format_b_i      (format_b),
        .s_axis_b_tdata  (s_axis_b_tdata),
        .s_axis_b_tvalid (s_axis_b_tvalid),
        .s_axis_b_tready (s_axis_b_tready),
        .shift_o         (shift),
        .weight_o        (weight),
        .loaded_o        (loaded),
        .swap_i          (swap),
        .stall_o         (loader_stall)
    );

    wire [1:0]                   bank_free, bank_preloaded, bank_computed;
    wire                         claim;
    wire                         launch_read, launch_bank, launch_last;
    wire                         launch_restart, launch_promote;
    wire [ROW_W-1:0]             launch_row;
    wire                         retire, retire_bank, retire_last;
    wire [ROW_W-1:0]             retire_row;
    wire [ROWS*OPERANDS_W-1:0]   operand;

    quaver_launcher #(
        .ROWS         (ROWS),
        .COLS         (COLS),
        .LANES        (LANES),
        .PE_LATENCY   (PE_LATENCY),
        .TILE_ROWS    (TILE_ROWS),
        .EXP_W        (EXP_W),
        .SIG_W        (SIG_W),
        .NORMALISE    (NORMALISE),
        .EXP_FLOOR    (EXP_FLOOR),
        .EXP_BASE     (EXP_BASE),
        .FORMAT_COUNT (FORMAT_COUNT),
        .FORMAT_TABLE (FORMAT_TABLE),
        .RETIRE_LATENCY (RETIRE_LATENCY),
        .CHUNK_TILES    (CHUNK_TILES)
    ) u_launcher (
        .clk_i           (clk_i),
        .rst_ni          (job_rst_n),
        .start_i         (start),
        .m_i             (m),
        .n_i             (n),
        .k_i             (k),
        .format_a_i      (format_a),
        .init_i          (init && EXACT == 0),
        .s_axis_a_tdata  (s_axis_a_tdata),
        .s_axis_a_tvalid (s_axis_a_tvalid),
        .s_axis_a_tready (s_axis_a_tready),
        .loaded_i        (loaded),
        .swap_o          (swap),
        .bank_ready_i    (bank_preloaded),
        .claim_o         (claim),
        .launch_o        (launch),
        .read_o          (launch_read),
        .bank_o          (launch_bank),
        .row_o           (launch_row),
        .last_o          (launch_last),
        .restart_o       (launch_restart),
        .promote_o       (launch_promote),
        .retire_i        (retire),
        .operand_o       (operand),
        .swap_q_o        (swap_q),
        .stall_o         (launcher_stall)
    );

    wire             preload_write, preload_bank, preload_done;
    wire             preload_c_tready, drain_c_tready;
    wire [ROW_W-1:0] preload_row;

    quaver_preloader #(
        .COLS      (COLS),
        .TILE_ROWS (TILE_ROWS)
    ) u_preloader (
        .clk_i           (clk_i),
        .rst_ni          (job_rst_n),
        .start_i         (start),
        .m_i             (m),
        .n_i             (n),
        .init_i          (init && EXACT == 0),
        .s_axis_c_tvalid (s_axis_c_tvalid),
        .s_axis_c_tready (preload_c_tready),
        .bank_free_i     (bank_free),
        .write_o         (preload_write),
        .bank_o          (preload_bank),
        .row_o           (preload_row),
        .done_o          (preload_done),
        .stall_o         (preloader_stall)
    );

    wire              load_scale, load_bias, load_init;
    wire              drain_advance, drain_empty;
    wire              drain_read, drain_bank;
    wire [ROW_W-1:0]  drain_row;
    wire              drain_valid, drain_last;
    wire [COLS_W-1:0] drain_cols;
    wire              drained, drained_bank;

    quaver_drain_control #(
        .COLS      (COLS),
        .TILE_ROWS (TILE_ROWS)
    ) u_drain_control (
        .clk_i           (clk_i),
        .rst_ni          (job_rst_n),
        .start_i         (start),
        .m_i             (m),
        .n_i             (n),
        .scale_columns_i (scale_mode == SCALE_COLUMNS),
        .bias_i          (bias),
        .init_i          (init && EXACT != 0),
        .s_axis_p_tvalid (s_axis_p_tvalid),
        .s_axis_p_tready (s_axis_p_tready),
        .load_scale_o    (load_scale),
        .load_bias_o     (load_bias),
        .s_axis_c_tvalid (s_axis_c_tvalid),
        .s_axis_c_tready (drain_c_tready),
        .load_init_o     (load_init),
        .init_stall_o    (init_stall),
        .bank_computed_i (bank_computed),
        .advance_i       (drain_advance),
        .empty_i         (drain_empty),
        .read_o          (drain_read),
        .bank_o          (drain_bank),
        .row_o           (drain_row),
        .valid_o         (drain_valid),
        .cols_o          (drain_cols),
        .last_o          (drain_last),
        .drained_o       (drained),
        .drained_bank_o  (drained_bank),
        .stall_o         (drain_control_stall)
    );

    assign s_axis_c_tready = (EXACT != 0) ? drain_c_tready : preload_c_tready;

    wire computed, computed_bank;

    quaver_bank_status u_bank_status (
        .clk_i            (clk_i),
        .rst_ni           (job_rst_n),
        .preloaded_i      (preload_done),
        .preloaded_bank_i (preload_bank),
        .claimed_i        (claim),
        .claimed_bank_i   (launch_bank),
        .computed_i       (computed),
        .computed_bank_i  (computed_bank),
        .drained_i        (drained),
        .drained_bank_i   (drained_bank),
        .free_o           (bank_free),
        .preloaded_o      (bank_preloaded),
        .computed_o       (bank_computed)
    );

    // ---- Datapath --------------------------------------------------------

    // The swap goes down the rows with the operands.
    wire [ROWS*(1+OPERANDS_W)-1:0] edge_early, edge_skewed;
    wire [ROWS*OPERANDS_W-1:0]     operand_skewed;
    wire [ROWS-1:0]                swap_skewed;

    genvar row;
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : gen_edge
            assign edge_early[(1+OPERANDS_W)*row +: 1+OPERANDS_W] =
                {swap_q, operand[OPERANDS_W*row +: OPERANDS_W]};
            assign {swap_skewed[row], operand_skewed[OPERANDS_W*row +: OPERANDS_W]} =
                edge_skewed[(1+OPERANDS_W)*row +: 1+OPERANDS_W];
        end
    endgenerate

    quaver_skew #(
        .ROWS       (ROWS),
        .WIDTH      (1 + OPERANDS_W),
        .PE_LATENCY (PE_LATENCY)
    ) u_skew (
        .clk_i  (clk_i),
        .rst_ni (job_rst_n),
        .data_i (edge_early),
        .data_o (edge_skewed)
    );

    // To and from the array, and to and from the memory: the same but for chunks.
    wire [COLS*PSUM_W-1:0]   psum_in, psum_out;
    wire [COLS*MEMORY_W-1:0] word_in, word_out, drain_word, preload_word;
    wire [COLS*SUM_W-1:0]    drain_psum;

    quaver_array #(
        .ROWS       (ROWS),
        .COLS       (COLS),
        .LANES      (LANES),
        .EXP_W      (EXP_W),
        .SIG_W      (SIG_W),
        .PE_LATENCY (PE_LATENCY),
        .PSUM_W     (PSUM_W),
        .NORMALISE  (NORMALISE),
        .EXP_FLOOR  (EXP_FLOOR),
        .EXP_BASE   (EXP_BASE),
        .ACCUMULATOR (ACCUMULATOR)
    ) u_array (
        .clk_i     (clk_i),
        .rst_ni    (job_rst_n),
        .operand_i (operand_skewed),
        .swap_i    (swap_skewed),
        .shift_i   (shift),
        .weight_i  (weight),
        .psum_i    (psum_in),
        .psum_o    (psum_out)
    );

    genvar col;
    generate
        if (CHUNKED != 0) begin : gen_chunked
            if (BLOCK_FORMAT != 0) begin : gen_blocks
                quaver_blocks #(
                    .COLS          (COLS),
                    .FORMAT        (BLOCK_FORMAT),
                    .PSUM_LATENCY  (ROWS * PE_LATENCY),
                    .SCALE_LATENCY (BLOCK_LATENCY),
                    .ADD_LATENCY   (CHUNK_LATENCY)
                ) u_blocks (
                    .clk_i     (clk_i),
                    .rst_ni    (job_rst_n),
                    .restart_i (launch_restart),
                    .promote_i (launch_promote),
                    .scale_a_i (s_axis_a_tuser),
                    .load_i    (s_axis_b_tvalid && s_axis_b_tready),
                    .scale_b_i (s_axis_b_tuser),
                    .swap_i    (swap),
                    .word_i    (word_out),
                    .psum_o    (psum_in),
                    .psum_i    (psum_out),
                    .word_o    (word_in)
                );
            end else begin : gen_chunks
                quaver_chunks #(
                    .COLS         (COLS),
                    .PSUM_LATENCY (ROWS * PE_LATENCY),
                    .LATENCY      (CHUNK_LATENCY)
                ) u_chunks (
                    .clk_i     (clk_i),
                    .rst_ni    (job_rst_n),
                    .restart_i (launch_restart),
                    .promote_i (launch_promote),
                    .word_i    (word_out),
                    .psum_o    (psum_in),
                    .psum_i    (psum_out),
                    .word_o    (word_in)
                );
            end

            for (col = 0; col < COLS; col = col + 1) begin : gen_column
                assign preload_word[64*col +: 64] = {s_axis_c_tdata[32*col +: 32], 32'd0};
                assign drain_psum[32*col +: 32]   = drain_word[64*col+32 +: 32];
            end

            wire unused = &{1'b0, drain_word};
        end else begin : gen_plain
            assign psum_in    = word_out;
            assign word_in    = psum_out;
            assign drain_psum = drain_word;

            wire unused = &{1'b0, launch_restart, launch_promote};

            if (EXACT != 0) begin : gen_exact
                assign preload_word = {COLS*MEMORY_W{1'b0}};
            end else begin : gen_fp32
                assign preload_word = s_axis_c_tdata;
            end
        end

        if (BLOCK_FORMAT == 0) begin : gen_no_block_scales
            wire unused = &{1'b0, s_axis_a_tuser, s_axis_b_tuser};
        end
    endgenerate

    // From the launch to the write-back in column 0.
    quaver_delay #(
        .WIDTH  (3 + ROW_W),
        .CLOCKS (1 + ROWS * PE_LATENCY + RETIRE_LATENCY)
    ) u_flight (
        .clk_i    (clk_i),
        .rst_ni   (job_rst_n),
        .enable_i (1'b1),
        .d_i      ({launch, launch_last, launch_bank, launch_row}),
        .q_o      ({retire, retire_last, retire_bank, retire_row})
    );

    quaver_psum_memory #(
        .COLS      (COLS),
        .TILE_ROWS (TILE_ROWS),
        .PSUM_W    (MEMORY_W)
    ) u_psum_memory (
        .clk_i           (clk_i),
        .rst_ni          (job_rst_n),
        .launch_valid_i  (launch_read),
        .launch_bank_i   (launch_bank),
        .launch_row_i    (launch_row),
        .psum_o          (word_out),
        .retire_valid_i  (retire),
        .retire_bank_i   (retire_bank),
        .retire_row_i    (retire_row),
        .retire_last_i   (retire_last),
        .psum_i          (word_in),
        .computed_o      (computed),
        .computed_bank_o (computed_bank),
        .preload_valid_i (preload_write),
        .preload_bank_i  (preload_bank),
        .preload_row_i   (preload_row),
        .preload_psum_i  (preload_word),
        .drain_valid_i   (drain_read),
        .drain_bank_i    (drain_bank),
        .drain_row_i     (drain_row),
        .drain_psum_o    (drain_word)
    );

    quaver_drain #(
        .COLS            (COLS),
        .OUTPUT_COUNT    (OUTPUT_COUNT),
        .OUTPUT_TABLE    (OUTPUT_TABLE),
        .SCALE_LATENCY   (SCALE_LATENCY),
        .BIAS_LATENCY    (BIAS_LATENCY),
        .CONVERT_LATENCY (CONVERT_LATENCY),
        .PSUM_W          (SUM_W),
        .EXACT           (EXACT),
        .EXACT_FIELD     (EXACT_FIELD),
        .FP32_NAN        (FP32_NAN)
    ) u_drain (
        .clk_i           (clk_i),
        .rst_ni          (job_rst_n),
        .start_i         (start),
        .scale_tensor_i  (scale_mode == SCALE_TENSOR),
        .scale_i         (scale),
        .load_scale_i    (load_scale),
        .load_bias_i     (load_bias),
        .s_axis_p_tdata  (s_axis_p_tdata),
        .load_init_i     (load_init),
        .s_axis_c_tdata  (s_axis_c_tdata),
        .relu_i          (relu),
        .format_i        (format_d),
        .rounding_i      (rounding),
        .overflow_i      (overflow),
        .infinity_i      (infinity),
        .row_valid_i     (drain_valid),
        .row_cols_i      (drain_cols),
        .row_last_i      (drain_last),
        .psum_i          (drain_psum),
        .advance_o       (drain_advance),
        .empty_o         (drain_empty),
        .stall_o         (drain_stall),
        .m_axis_d_tdata  (m_axis_d_tdata),
        .m_axis_d_tkeep  (m_axis_d_tkeep),
        .m_axis_d_tlast  (m_axis_d_tlast),
        .m_axis_d_tvalid (m_axis_d_tvalid),
        .m_axis_d_tready (m_axis_d_tready)
    );
endmodule

`default_nettype wire
