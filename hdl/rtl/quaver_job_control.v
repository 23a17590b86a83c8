// Starts a job, and knows when it has ended.
//
//   start_i       CONTROL.start; ignored while a job runs
//   finished_i    the last beat of m_axis_d is taken
//   refused_i     a CSR write was refused
//   m_i ... scale_mode_i   the CSRs that say whether the job is legal, and empty
//   clear_o       the counters start from 0: the clock of an accepted start_i
//   start_o       the walkers begin, two clocks after start_i
//   format_a_o, format_b_o, format_d_o   rows of the format tables
//   busy_o, done_o, bad_job_o, write_refused_o   STATUS
//
//   clock   0         1         2
//           start_i   busy_o    busy_o, start_o        a job that runs
//           start_i   busy_o    done_o or bad_job_o    a job without elements, or
//                                                      one the core cannot run
//
// start clears done, bad_job and write_refused, and so does reset (CONTROL.abort).
`default_nettype none

module quaver_job_control #(
    parameter integer                FORMAT_COUNT   = 1,
    parameter [40*FORMAT_COUNT-1:0]  FORMAT_TABLE   = 40'h00_100E_3400,
    parameter integer                OUTPUT_COUNT   = 1,
    parameter [40*OUTPUT_COUNT-1:0]  OUTPUT_TABLE   = 40'h00_48FF_7800,
    // The largest K of a job; 0: there is no bound.
    parameter [31:0]                 K_MAX          = 32'd0,
    // Derived; leave them alone.
    parameter integer                INDEX_W        = (FORMAT_COUNT > 1) ? $clog2(FORMAT_COUNT) : 1,
    parameter integer                OUTPUT_INDEX_W = (OUTPUT_COUNT > 1) ? $clog2(OUTPUT_COUNT) : 1
) (
    input  wire                        clk_i,
    input  wire                        rst_ni,

    input  wire                        start_i,
    input  wire                        finished_i,
    input  wire                        refused_i,

    input  wire [31:0]                 m_i,
    input  wire [31:0]                 n_i,
    input  wire [31:0]                 k_i,
    input  wire [7:0]                  format_a_i,
    input  wire [7:0]                  format_b_i,
    input  wire [7:0]                  format_d_i,
    input  wire [2:0]                  rounding_i,
    input  wire [1:0]                  overflow_i,
    input  wire [1:0]                  infinity_i,
    input  wire [1:0]                  scale_mode_i,

    output wire                        clear_o,
    output wire                        start_o,
    output wire [INDEX_W-1:0]          format_a_o,
    output wire [INDEX_W-1:0]          format_b_o,
    output wire [OUTPUT_INDEX_W-1:0]   format_d_o,

    output wire                        busy_o,
    output wire                        done_o,
    output wire                        bad_job_o,
    output wire                        write_refused_o
);
    // OUTPUT.rounding: the last one that needs no random bits (to nearest, ties
    // away). OUTPUT.overflow and .infinity. EPILOGUE.scale_mode.
    localparam [2:0] LAST_ROUNDING   = 3'd4;
    localparam [1:0] POLICY_SATURATE = 2'd0;
    localparam [1:0] POLICY_INFINITY = 2'd1;
    localparam [1:0] POLICY_NAN      = 2'd2;
    localparam [1:0] LAST_SCALE_MODE = 2'd2;

    localparam [1:0] IDLE  = 2'd0;
    localparam [1:0] CHECK = 2'd1;
    localparam [1:0] RUN   = 2'd2;

    reg [1:0]                state_q;
    reg                      start_q;
    reg                      done_q;
    reg                      bad_job_q;
    reg                      write_refused_q;
    reg [INDEX_W-1:0]        format_a_q, format_b_q;
    reg [OUTPUT_INDEX_W-1:0] format_d_q;

    wire                      a_found, b_found, d_found;
    wire [INDEX_W-1:0]        a_index, b_index;
    wire [OUTPUT_INDEX_W-1:0] d_index;
    wire                      d_nan, d_infinity;
    wire                      unused_a_nan, unused_a_infinity, unused_b_nan, unused_b_infinity;

    quaver_format_index #(
        .FORMAT_COUNT (FORMAT_COUNT),
        .FORMAT_TABLE (FORMAT_TABLE)
    ) u_format_a (
        .id_i       (format_a_i),
        .found_o    (a_found),
        .index_o    (a_index),
        .nan_o      (unused_a_nan),
        .infinity_o (unused_a_infinity)
    );

    quaver_format_index #(
        .FORMAT_COUNT (FORMAT_COUNT),
        .FORMAT_TABLE (FORMAT_TABLE)
    ) u_format_b (
        .id_i       (format_b_i),
        .found_o    (b_found),
        .index_o    (b_index),
        .nan_o      (unused_b_nan),
        .infinity_o (unused_b_infinity)
    );

    quaver_format_index #(
        .FORMAT_COUNT (OUTPUT_COUNT),
        .FORMAT_TABLE (OUTPUT_TABLE)
    ) u_format_d (
        .id_i       (format_d_i),
        .found_o    (d_found),
        .index_o    (d_index),
        .nan_o      (d_nan),
        .infinity_o (d_infinity)
    );

    // A policy needs a code in the output format.
    wire overflow_legal = overflow_i == POLICY_SATURATE ||
                          (overflow_i == POLICY_INFINITY && d_infinity) ||
                          (overflow_i == POLICY_NAN && d_nan);
    wire infinity_legal = infinity_i == POLICY_SATURATE ||
                          (infinity_i == POLICY_INFINITY && d_infinity) ||
                          (infinity_i == POLICY_NAN && d_nan);
    wire legal = a_found && b_found && d_found && rounding_i <= LAST_ROUNDING &&
                 overflow_legal && infinity_legal && scale_mode_i <= LAST_SCALE_MODE &&
                 (K_MAX == 32'd0 || k_i <= K_MAX);
    wire empty = m_i == 32'd0 || n_i == 32'd0;

    wire accept = start_i && state_q == IDLE;

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            state_q         <= IDLE;
            start_q         <= 1'b0;
            done_q          <= 1'b0;
            bad_job_q       <= 1'b0;
            write_refused_q <= 1'b0;
            format_a_q      <= {INDEX_W{1'b0}};
            format_b_q      <= {INDEX_W{1'b0}};
            format_d_q      <= {OUTPUT_INDEX_W{1'b0}};
        end else begin
            start_q <= 1'b0;
            if (refused_i) write_refused_q <= 1'b1;

            case (state_q)
                CHECK: begin
                    format_a_q <= a_index;
                    format_b_q <= b_index;
                    format_d_q <= d_index;
                    state_q    <= (legal && !empty) ? RUN : IDLE;
                    start_q    <= legal && !empty;
                    done_q     <= legal && empty;
                    bad_job_q  <= !legal;
                end

                RUN: begin
                    if (finished_i) begin
                        state_q <= IDLE;
                        done_q  <= 1'b1;
                    end
                end

                default: begin
                    if (accept) begin
                        state_q         <= CHECK;
                        done_q          <= 1'b0;
                        bad_job_q       <= 1'b0;
                        write_refused_q <= 1'b0;
                    end
                end
            endcase
        end
    end

    assign clear_o         = accept;
    assign start_o         = start_q;
    assign format_a_o      = format_a_q;
    assign format_b_o      = format_b_q;
    assign format_d_o      = format_d_q;
    assign busy_o          = state_q != IDLE;
    assign done_o          = done_q;
    assign bad_job_o       = bad_job_q;
    assign write_refused_o = write_refused_q;
endmodule

`default_nettype wire
