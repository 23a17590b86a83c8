// From complete partial sums to results: scale, bias, ReLU, conversion; and, where
// the sums are not FP32, first their rounding.
//
//   start_i         a job begins: every column's scale becomes scale_i if the job
//                   scales per tensor, else 1.0, and its bias the neutral one
//   load_scale_i, load_bias_i   s_axis_p_tdata becomes the scales, the biases
//   load_init_i     with EXACT: s_axis_c_tdata becomes the initial values of the row
//                   that comes with the next clock
//   relu_i, format_i, rounding_i, overflow_i, infinity_i   the job, held
//   row_valid_i, row_cols_i, row_last_i, psum_i   a row, all columns
//   advance_o       the pipeline moves: psum_i is taken if it is valid
//   empty_o         no row is in the pipeline
//   stall_o         a result is there and not taken
//
//   EXACT           psum_i are those of quaver_exact_accumulate; see quaver_exact_finish
//                   for EXACT_FIELD
//   FP32_NAN        what a NaN is in a result of FP32
//
// A row is on m_axis_d  SCALE_LATENCY + BIAS_LATENCY + CONVERT_LATENCY  advances
// after it was taken, with EXACT 4 more. All registers of the pipeline move together, and the last
// ones drive m_axis_d.
//
// Words of m_axis_d whose tkeep is 0 hold nothing.
`default_nettype none

module quaver_drain #(
    parameter integer                COLS            = 8,
    parameter integer                OUTPUT_COUNT    = 1,
    parameter [40*OUTPUT_COUNT-1:0]  OUTPUT_TABLE    = 40'h00_48FF_7800,
    parameter integer                SCALE_LATENCY   = 3,
    parameter integer                BIAS_LATENCY    = 4,
    parameter integer                CONVERT_LATENCY = 2,
    parameter integer                PSUM_W          = 32,
    parameter integer                EXACT           = 0,
    parameter integer                EXACT_FIELD     = 155,
    parameter [31:0]                 FP32_NAN        = 32'h7FC0_0000,
    // Derived; leave them alone.
    parameter integer                INDEX_W         = (OUTPUT_COUNT > 1) ? $clog2(OUTPUT_COUNT) : 1,
    parameter integer                COLS_W          = $clog2(COLS + 1)
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,

    input  wire                  start_i,
    input  wire                  scale_tensor_i,
    input  wire [31:0]           scale_i,
    input  wire                  load_scale_i,
    input  wire                  load_bias_i,
    input  wire [COLS*32-1:0]    s_axis_p_tdata,
    input  wire                  load_init_i,
    input  wire [COLS*32-1:0]    s_axis_c_tdata,

    input  wire                  relu_i,
    input  wire [INDEX_W-1:0]    format_i,
    input  wire [2:0]            rounding_i,
    input  wire [1:0]            overflow_i,
    input  wire [1:0]            infinity_i,

    input  wire                  row_valid_i,
    input  wire [COLS_W-1:0]     row_cols_i,
    input  wire                  row_last_i,
    input  wire [COLS*PSUM_W-1:0] psum_i,
    output wire                  advance_o,
    output wire                  empty_o,
    output wire                  stall_o,

    output wire [COLS*32-1:0]    m_axis_d_tdata,
    output wire [COLS*4-1:0]     m_axis_d_tkeep,
    output wire                  m_axis_d_tlast,
    output wire                  m_axis_d_tvalid,
    input  wire                  m_axis_d_tready
);
    localparam integer FINISH_LATENCY = (EXACT != 0) ? 4 : 0;
    localparam integer LATENCY        = FINISH_LATENCY + SCALE_LATENCY + BIAS_LATENCY + CONVERT_LATENCY;

    localparam [31:0] ONE          = 32'h3F80_0000;
    // x + -0 is x for every x; x + +0 would turn -0 into +0 (IEEE 754-2019, 6.3).
    localparam [31:0] NEUTRAL_BIAS = 32'h8000_0000;

    reg [COLS*32-1:0] scale_q;
    reg [COLS*32-1:0] bias_q;
    reg [LATENCY-1:0] valid_q;

    wire [LATENCY:0]  valid   = {valid_q, row_valid_i};
    wire              advance = !m_axis_d_tvalid || m_axis_d_tready;
    wire [COLS_W-1:0] cols;

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            scale_q <= {COLS*32{1'b0}};
            bias_q  <= {COLS*32{1'b0}};
            valid_q <= {LATENCY{1'b0}};
        end else begin
            if (start_i)           scale_q <= {COLS{scale_tensor_i ? scale_i : ONE}};
            else if (load_scale_i) scale_q <= s_axis_p_tdata;

            if (start_i)           bias_q  <= {COLS{NEUTRAL_BIAS}};
            else if (load_bias_i)  bias_q  <= s_axis_p_tdata;

            if (advance)           valid_q <= valid[LATENCY-1:0];
        end
    end

    quaver_delay #(
        .WIDTH  (1 + COLS_W),
        .CLOCKS (LATENCY)
    ) u_row (
        .clk_i    (clk_i),
        .rst_ni   (rst_ni),
        .enable_i (advance),
        .d_i      ({row_last_i, row_cols_i}),
        .q_o      ({m_axis_d_tlast, cols})
    );

    // The sums in FP32.
    wire [COLS*32-1:0] sums;

    genvar col;
    generate
        if (EXACT != 0) begin : gen_exact
            reg [COLS*32-1:0] init_q;

            // Without init they stay +0.
            always @(posedge clk_i) begin
                if (!rst_ni)          init_q <= {COLS*32{1'b0}};
                else if (start_i)     init_q <= {COLS*32{1'b0}};
                else if (load_init_i) init_q <= s_axis_c_tdata;
            end

            for (col = 0; col < COLS; col = col + 1) begin : gen_finish
                quaver_exact_finish #(
                    .PSUM_W (PSUM_W),
                    .FIELD  (EXACT_FIELD)
                ) u_finish (
                    .clk_i    (clk_i),
                    .rst_ni   (rst_ni),
                    .enable_i (advance),
                    .psum_i   (psum_i[PSUM_W*col +: PSUM_W]),
                    .init_i   (init_q[32*col +: 32]),
                    .code_o   (sums[32*col +: 32])
                );
            end
        end else begin : gen_fp32
            assign sums = psum_i;

            wire unused = &{1'b0, load_init_i, s_axis_c_tdata};
        end
    endgenerate

    generate
        for (col = 0; col < COLS; col = col + 1) begin : gen_column
            wire [31:0] scaled, biased, rectified;

            quaver_fp32_multiply #(
                .LATENCY (SCALE_LATENCY)
            ) u_scale (
                .clk_i     (clk_i),
                .rst_ni    (rst_ni),
                .enable_i  (advance),
                .a_i       (sums[32*col +: 32]),
                .b_i       (scale_q[32*col +: 32]),
                .product_o (scaled)
            );

            quaver_fp32_add #(
                .LATENCY (BIAS_LATENCY)
            ) u_bias (
                .clk_i    (clk_i),
                .rst_ni   (rst_ni),
                .enable_i (advance),
                .a_i      (scaled),
                .b_i      (bias_q[32*col +: 32]),
                .pass_i   (1'b0),
                .sum_o    (biased)
            );

            quaver_relu u_relu (
                .value_i (biased),
                .value_o (rectified)
            );

            quaver_convert #(
                .OUTPUT_COUNT (OUTPUT_COUNT),
                .OUTPUT_TABLE (OUTPUT_TABLE),
                .LATENCY      (CONVERT_LATENCY),
                .FP32_NAN     (FP32_NAN)
            ) u_convert (
                .clk_i      (clk_i),
                .rst_ni     (rst_ni),
                .enable_i   (advance),
                .value_i    (relu_i ? rectified : biased),
                .format_i   (format_i),
                .rounding_i (rounding_i),
                .overflow_i (overflow_i),
                .infinity_i (infinity_i),
                // A job with stochastic rounding is not started.
                .random_i   (32'd0),
                .code_o     (m_axis_d_tdata[32*col +: 32])
            );

            assign m_axis_d_tkeep[4*col +: 4] = {4{col < {{32-COLS_W{1'b0}}, cols}}};
        end
    endgenerate

    assign m_axis_d_tvalid = valid[LATENCY];
    assign advance_o       = advance;
    assign empty_o         = valid_q == {LATENCY{1'b0}};
    assign stall_o         = m_axis_d_tvalid && !m_axis_d_tready;
endmodule

`default_nettype wire
