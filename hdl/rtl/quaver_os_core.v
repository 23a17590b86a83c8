// The output-stationary GEMM core:
//
//   D[M,N] = convert(relu(scale * (init + A[M,K] * B[K,N]) + bias))
//
//   s_axil     control and status registers (see quaver_csr)
//   s_axis_a   columns of A   s_axis_c   rows of initial values, FP32
//   s_axis_b   rows of B      s_axis_p   scales and biases of columns, FP32
//   m_axis_d   rows of D, 32 bits a column
//   irq_o      STATUS.done or STATUS.bad_job, until the next start or abort
//
// The order of the beats: for each n tile (COLS columns), for each m tile
// (TILE_ROWS rows), for each step of K (LANES terms), for each slot (ROWS rows).
// TILE_ROWS is ROWS * SLOTS: each PE owns that many sums (see quaver_os_pe).
//
// A rotation that begins at clock t and unloads a tile, loads the next and takes its
// first step, in column c and row r, slot s:
//
//   t - ROWS + 1 + r*SLOTS + s + c   the initial value is read from the memory
//   t + s                            s_axis_a is taken and decoded
//   t + 1 + r*(SLOTS-1) + s + c      the result leaves its PE, the initial value enters,
//                                    and the products are added
//   t + SLOTS + s                    the slot's next beat of s_axis_a is taken
//   t + 2 + r*SLOTS + s + c          the result is written
//
//   u = t + 1 + ROWS*SLOTS + COLS       the bank is COMPUTED; its first row is read
//   u + 1                            that row is at the multipliers
//   u + 1 + SCALE_LATENCY + BIAS_LATENCY + CONVERT_LATENCY   ... on m_axis_d
//
// An exact accumulator has 4 clocks more in the drain. ACCUMULATOR: see quaver_pe;
// NORMALISE, EXP_FLOOR and EXP_BASE: see quaver_decode; the generator makes them, and
// PSUM_W, EXACT_FIELD and K_MAX, from the accumulator and the formats.
//
// CONTROL.start is written at clock s (see quaver_control). STATUS.busy is set from s + 1,
// the walkers begin at s + 2, and their first steps are there at s + 4. If beats
// are there too, the loader takes its first at s + 4, and the first rotation begins
// at s + 6.
`default_nettype none

module quaver_os_core #(
    parameter integer                ROWS            = 8,
    parameter integer                COLS            = 8,
    parameter integer                LANES           = 1,
    parameter integer                PE_LATENCY      = 4,
    parameter integer                TILE_ROWS       = 32,
    parameter integer                EXP_W           = 5,
    parameter integer                SIG_W           = 4,
    parameter integer                NORMALISE       = 1,
    parameter integer                EXP_FLOOR       = -1024,
    parameter integer                EXP_BASE        = 0,
    parameter [95:0]                 ACCUMULATOR     = 96'd0,
    parameter integer                PSUM_W          = 32,
    parameter integer                EXACT_FIELD     = 0,
    parameter integer                CHUNK_TILES     = 0,
    parameter [31:0]                 K_MAX           = 32'd0,
    parameter [31:0]                 FP32_NAN        = 32'h7FC0_0000,
    parameter integer                FORMAT_COUNT    = 1,
    parameter [40*FORMAT_COUNT-1:0]  FORMAT_TABLE    = 40'h00_100E_3400,
    parameter integer                OUTPUT_COUNT    = 1,
    parameter [40*OUTPUT_COUNT-1:0]  OUTPUT_TABLE    = 40'h00_48FF_7800,
    parameter integer                SCALE_LATENCY   = 3,
    parameter integer                BIAS_LATENCY    = 4,
    parameter integer                CONVERT_LATENCY = 2
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
    input  wire                      s_axis_a_tvalid,
    output wire                      s_axis_a_tready,

    input  wire [COLS*LANES*8-1:0]   s_axis_b_tdata,
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

    localparam integer SLOTS           = TILE_ROWS / ROWS;
    // Clocks of the second adder of a chunked accumulator.
    localparam integer PROMOTE_LATENCY = 4;

    // Exact sums take init when they are rounded, in the drain.
    localparam integer EXACT           = (ACCUMULATOR[3:0] == 4'd4) ? 1 : 0;
    localparam integer SUM_W           = (EXACT != 0) ? PSUM_W : 32;

    localparam [1:0]  SCALE_TENSOR    = 2'd1;
    localparam [1:0]  SCALE_COLUMNS   = 2'd2;

    generate
        if (TILE_ROWS != ROWS * SLOTS) begin : gen_illegal_tile_rows
            quaver_illegal_parameter tile_rows_must_be_a_multiple_of_rows ();
        end
    endgenerate

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

    wire                                loaded, take;
    wire [COLS*LANES*(1+OPERAND_W)-1:0] weight;

    quaver_os_loader #(
        .COLS         (COLS),
        .LANES        (LANES),
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
        .loaded_o        (loaded),
        .take_i          (take),
        .weight_o        (weight),
        .stall_o         (loader_stall)
    );

    wire [1:0]                 bank_free, bank_preloaded, bank_computed;
    wire                       claim, claim_bank;
    wire                       read_start, read_start_bank, write_start, write_start_bank;
    wire                       edge_valid, edge_step, edge_load, edge_unload;
    wire                       edge_restart, edge_promote;
    wire [ROWS*OPERANDS_W-1:0] operand;

    quaver_os_launcher #(
        .ROWS         (ROWS),
        .COLS         (COLS),
        .LANES        (LANES),
        .SLOTS        (SLOTS),
        .EXP_W        (EXP_W),
        .SIG_W        (SIG_W),
        .NORMALISE    (NORMALISE),
        .EXP_FLOOR    (EXP_FLOOR),
        .EXP_BASE     (EXP_BASE),
        .FORMAT_COUNT (FORMAT_COUNT),
        .FORMAT_TABLE (FORMAT_TABLE),
        .CHUNK_STEPS  (CHUNK_TILES)
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
        .take_o          (take),
        .bank_ready_i    (bank_preloaded),
        .claim_o         (claim),
        .claim_bank_o    (claim_bank),
        .read_o          (read_start),
        .read_bank_o     (read_start_bank),
        .write_o         (write_start),
        .write_bank_o    (write_start_bank),
        .launch_o        (launch),
        .valid_o         (edge_valid),
        .step_o          (edge_step),
        .load_o          (edge_load),
        .unload_o        (edge_unload),
        .restart_o       (edge_restart),
        .promote_o       (edge_promote),
        .operand_o       (operand),
        .stall_o         (launcher_stall)
    );

    wire             read_valid, read_bank, write_valid, write_bank, write_last;
    wire [ROW_W-1:0] read_row, write_row;
    wire             unused_read_last;

    quaver_os_walk #(
        .ROWS  (ROWS),
        .SLOTS (SLOTS)
    ) u_read_walk (
        .clk_i   (clk_i),
        .rst_ni  (job_rst_n),
        .start_i (read_start),
        .bank_i  (read_start_bank),
        .valid_o (read_valid),
        .bank_o  (read_bank),
        .row_o   (read_row),
        .last_o  (unused_read_last)
    );

    quaver_os_walk #(
        .ROWS  (ROWS),
        .SLOTS (SLOTS)
    ) u_write_walk (
        .clk_i   (clk_i),
        .rst_ni  (job_rst_n),
        .start_i (write_start),
        .bank_i  (write_start_bank),
        .valid_o (write_valid),
        .bank_o  (write_bank),
        .row_o   (write_row),
        .last_o  (write_last)
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
        .claimed_bank_i   (claim_bank),
        .computed_i       (computed),
        .computed_bank_i  (computed_bank),
        .drained_i        (drained),
        .drained_bank_i   (drained_bank),
        .free_o           (bank_free),
        .preloaded_o      (bank_preloaded),
        .computed_o       (bank_computed)
    );

    // ---- Datapath --------------------------------------------------------

    // {valid, step, load, unload, restart, promote, operands} of each row.
    localparam integer FLAGS  = 6;
    localparam integer EDGE_W = FLAGS + OPERANDS_W;

    wire [ROWS*EDGE_W-1:0]     edge_early, edge_skewed;
    wire [ROWS*OPERANDS_W-1:0] operand_skewed;
    wire [ROWS-1:0]            valid_skewed, step_skewed, load_skewed, unload_skewed;
    wire [ROWS-1:0]            restart_skewed, promote_skewed;

    genvar row;
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : gen_edge
            assign edge_early[EDGE_W*row +: EDGE_W] =
                {edge_valid, edge_step, edge_load, edge_unload, edge_restart, edge_promote,
                 operand[OPERANDS_W*row +: OPERANDS_W]};
            assign {valid_skewed[row], step_skewed[row], load_skewed[row], unload_skewed[row],
                    restart_skewed[row], promote_skewed[row],
                    operand_skewed[OPERANDS_W*row +: OPERANDS_W]} =
                edge_skewed[EDGE_W*row +: EDGE_W];
        end
    endgenerate

    quaver_skew #(
        .ROWS       (ROWS),
        .WIDTH      (EDGE_W),
        .PE_LATENCY (SLOTS - 1)
    ) u_skew (
        .clk_i  (clk_i),
        .rst_ni (job_rst_n),
        .data_i (edge_early),
        .data_o (edge_skewed)
    );

    // The flag of a step reaches column c c clocks after column 0.
    wire [COLS*LANES*(1+OPERAND_W)-1:0] weight_skewed;

    quaver_skew #(
        .ROWS       (COLS),
        .WIDTH      (LANES * (1 + OPERAND_W)),
        .PE_LATENCY (1)
    ) u_weight_skew (
        .clk_i  (clk_i),
        .rst_ni (job_rst_n),
        .data_i (weight),
        .data_o (weight_skewed)
    );

    wire [COLS*PSUM_W-1:0] word_in, word_out, drain_word, preload_word;
    wire [COLS*SUM_W-1:0]  drain_psum;

    quaver_os_array #(
        .ROWS            (ROWS),
        .COLS            (COLS),
        .LANES           (LANES),
        .EXP_W           (EXP_W),
        .SIG_W           (SIG_W),
        .PE_LATENCY      (PE_LATENCY),
        .SLOTS           (SLOTS),
        .PSUM_W          (PSUM_W),
        .NORMALISE       (NORMALISE),
        .EXP_FLOOR       (EXP_FLOOR),
        .EXP_BASE        (EXP_BASE),
        .ACCUMULATOR     (ACCUMULATOR),
        .CHUNKED         ((CHUNK_TILES > 0) ? 1 : 0),
        .PROMOTE_LATENCY (PROMOTE_LATENCY)
    ) u_array (
        .clk_i     (clk_i),
        .rst_ni    (job_rst_n),
        .valid_i   (valid_skewed),
        .operand_i (operand_skewed),
        .step_i    (step_skewed),
        .load_i    (load_skewed),
        .unload_i  (unload_skewed),
        .restart_i (restart_skewed),
        .promote_i (promote_skewed),
        .weight_i  (weight_skewed),
        .init_i    (word_out),
        .result_o  (word_in)
    );

    assign drain_psum = drain_word;

    generate
        if (EXACT != 0) begin : gen_exact
            assign preload_word = {COLS*PSUM_W{1'b0}};
        end else begin : gen_fp32
            assign preload_word = s_axis_c_tdata;
        end
    endgenerate

    quaver_psum_memory #(
        .COLS      (COLS),
        .TILE_ROWS (TILE_ROWS),
        .PSUM_W    (PSUM_W)
    ) u_psum_memory (
        .clk_i           (clk_i),
        .rst_ni          (job_rst_n),
        .launch_valid_i  (read_valid),
        .launch_bank_i   (read_bank),
        .launch_row_i    (read_row),
        .psum_o          (word_out),
        .retire_valid_i  (write_valid),
        .retire_bank_i   (write_bank),
        .retire_row_i    (write_row),
        .retire_last_i   (write_last),
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
