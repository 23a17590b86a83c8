// What a core has beside its data: registers on AXI4-Lite, the job that they describe, counters.
//
//   job_rst_no   resets everything but the registers and the bus
//   start_o      a legal job begins; the registers hold what they say until it is finished
//   finished_i   its last beat leaves
//   event_i      what the counters count: rows launched, stalls of a, b, c, p and d, from bit 0 on
//   irq_o        STATUS.done or STATUS.bad_job, until the next start or abort
//
// CONTROL.start is written at clock s (reg_write). STATUS.busy is set from s + 1, and
// start_o is 1 at s + 2.
`default_nettype none

module quaver_control #(
    parameter integer                ROWS           = 8,
    parameter integer                COLS           = 8,
    parameter integer                LANES          = 1,
    parameter integer                PE_LATENCY     = 4,
    parameter integer                TILE_ROWS      = 256,
    parameter [31:0]                 K_MAX          = 32'd0,
    parameter integer                FORMAT_COUNT   = 1,
    parameter [40*FORMAT_COUNT-1:0]  FORMAT_TABLE   = 40'h00_100E_3400,
    parameter integer                OUTPUT_COUNT   = 1,
    parameter [40*OUTPUT_COUNT-1:0]  OUTPUT_TABLE   = 40'h00_48FF_7800,
    // Derived; leave them alone.
    parameter integer                INDEX_W        = (FORMAT_COUNT > 1) ? $clog2(FORMAT_COUNT) : 1,
    parameter integer                OUTPUT_INDEX_W = (OUTPUT_COUNT > 1) ? $clog2(OUTPUT_COUNT) : 1
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

    input  wire                      finished_i,
    input  wire [5:0]                event_i,

    output wire                      job_rst_no,
    output wire                      start_o,
    output wire [31:0]               m_o,
    output wire [31:0]               n_o,
    output wire [31:0]               k_o,
    output wire [INDEX_W-1:0]        format_a_o,
    output wire [INDEX_W-1:0]        format_b_o,
    output wire [OUTPUT_INDEX_W-1:0] format_d_o,
    output wire [2:0]                rounding_o,
    output wire [1:0]                overflow_o,
    output wire [1:0]                infinity_o,
    output wire                      init_o,
    output wire                      bias_o,
    output wire                      relu_o,
    output wire [1:0]                scale_mode_o,
    output wire [31:0]               scale_o,

    output wire                      irq_o
);
    localparam integer COUNTERS        = 7;
    localparam [11:0]  CONTROL_ADDRESS = 12'h010;

    // ---- Registers -------------------------------------------------------

    wire        reg_write, reg_read, reg_error;
    wire [11:0] reg_addr;
    wire [31:0] reg_wdata, reg_rdata;
    wire [3:0]  reg_wstrb;

    wire        control_start, control_abort;
    wire        busy, done, bad_job, write_refused;
    wire [7:0]  operands_format_a, operands_format_b, output_format;
    wire [31:0] cycles, rows, stall_a, stall_b, stall_c, stall_p, stall_d;

    // A job's registers must not change under it.
    wire refused = reg_write && busy && reg_addr != CONTROL_ADDRESS;

    // CONTROL.abort is, one clock after its write, a reset of everything but the
    // registers, the counters among them, and the bus. The next write is at the
    // earliest the clock after that reset.
    reg abort_q;

    always @(posedge clk_i) begin
        if (!rst_ni) abort_q <= 1'b0;
        else         abort_q <= control_abort;
    end

    assign job_rst_no = rst_ni && !abort_q;

    quaver_axi_lite u_axi_lite (
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
        .reg_write_o    (reg_write),
        .reg_read_o     (reg_read),
        .reg_addr_o     (reg_addr),
        .reg_wdata_o    (reg_wdata),
        .reg_wstrb_o    (reg_wstrb),
        .reg_rdata_i    (reg_rdata),
        .reg_error_i    (reg_error || refused)
    );

    // Generated from the CSR map. It keeps the fields that the bus writes; what
    // the core drives (status_*_i and the counters) is kept here. reg_rdata_o and
    // reg_error_o are combinational, and so are the pulses of CONTROL.
    quaver_csr #(
        .ROWS       (ROWS),
        .COLS       (COLS),
        .LANES      (LANES),
        .PE_LATENCY (PE_LATENCY),
        .TILE_ROWS  (TILE_ROWS)
    ) u_csr (
        .clk_i                  (clk_i),
        .rst_ni                 (rst_ni),
        .reg_write_i            (reg_write && !refused),
        .reg_read_i             (reg_read),
        .reg_addr_i             (reg_addr),
        .reg_wdata_i            (reg_wdata),
        .reg_wstrb_i            (reg_wstrb),
        .reg_rdata_o            (reg_rdata),
        .reg_error_o            (reg_error),
        .control_start_o        (control_start),
        .control_abort_o        (control_abort),
        .status_busy_i          (busy),
        .status_done_i          (done),
        .status_write_refused_i (write_refused),
        .status_bad_job_i       (bad_job),
        .m_m_o                  (m_o),
        .n_n_o                  (n_o),
        .k_k_o                  (k_o),
        .operands_format_a_o    (operands_format_a),
        .operands_format_b_o    (operands_format_b),
        .output_format_o        (output_format),
        .output_rounding_o      (rounding_o),
        .output_overflow_o      (overflow_o),
        .output_infinity_o      (infinity_o),
        .epilogue_init_o        (init_o),
        .epilogue_bias_o        (bias_o),
        .epilogue_relu_o        (relu_o),
        .epilogue_scale_mode_o  (scale_mode_o),
        .scale_scale_o          (scale_o),
        .cycles_cycles_i        (cycles),
        .rows_rows_i            (rows),
        .stall_a_stall_a_i      (stall_a),
        .stall_b_stall_b_i      (stall_b),
        .stall_c_stall_c_i      (stall_c),
        .stall_p_stall_p_i      (stall_p),
        .stall_d_stall_d_i      (stall_d)
    );

    // ---- Job -------------------------------------------------------------

    wire clear;

    quaver_job_control #(
        .FORMAT_COUNT (FORMAT_COUNT),
        .FORMAT_TABLE (FORMAT_TABLE),
        .OUTPUT_COUNT (OUTPUT_COUNT),
        .OUTPUT_TABLE (OUTPUT_TABLE),
        .K_MAX        (K_MAX)
    ) u_job_control (
        .clk_i           (clk_i),
        .rst_ni          (job_rst_no),
        .start_i         (control_start),
        .finished_i      (finished_i),
        .refused_i       (refused),
        .m_i             (m_o),
        .n_i             (n_o),
        .k_i             (k_o),
        .format_a_i      (operands_format_a),
        .format_b_i      (operands_format_b),
        .format_d_i      (output_format),
        .rounding_i      (rounding_o),
        .overflow_i      (overflow_o),
        .infinity_i      (infinity_o),
        .scale_mode_i    (scale_mode_o),
        .clear_o         (clear),
        .start_o         (start_o),
        .format_a_o      (format_a_o),
        .format_b_o      (format_b_o),
        .format_d_o      (format_d_o),
        .busy_o          (busy),
        .done_o          (done),
        .bad_job_o       (bad_job),
        .write_refused_o (write_refused)
    );

    quaver_counters #(
        .COUNT (COUNTERS)
    ) u_counters (
        .clk_i   (clk_i),
        .rst_ni  (rst_ni),
        .clear_i (clear),
        .busy_i  (busy),
        .event_i ({event_i, 1'b1}),
        .count_o ({stall_d, stall_p, stall_c, stall_b, stall_a, rows, cycles})
    );

    assign irq_o = done || bad_job;
endmodule

`default_nettype wire
