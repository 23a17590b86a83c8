// Reads complete rows of partial sums for the drain, and takes its parameters.
//
//   start_i, m_i, n_i, scale_columns_i, bias_i   the job; scale_columns_i: it has
//                   a scale a column
//   load_scale_o, load_bias_o   s_axis_p_tdata is the scales, the biases, now
//   init_i          each row is read with a beat of s_axis_c: load_init_o, its words
//                   belong to the row of read_o
//   bank_computed_i             the state of the banks
//   advance_i       the drain moves
//   empty_i         nothing is in the drain's pipeline
//   read_o          row_o of bank_o is read in all columns
//   valid_o, cols_o, last_o     the word that was read one advance ago: it is there,
//                   how many of its columns are results, and whether it is the job's last
//   drained_o       drained_bank_o is no longer needed
//   stall_o, init_stall_o   a beat of s_axis_p, of s_axis_c is wanted and not there
//
// A row is read in each clock with advance_i, once the parameters of its n tile
// are taken and its bank is COMPUTED. Parameters change only when the pipeline
// is empty. The memory's output register holds the last row of a bank until the
// drain takes it, so the bank is drained only then.
`default_nettype none

module quaver_drain_control #(
    parameter integer COLS      = 8,
    parameter integer TILE_ROWS = 256,
    // Derived; leave them alone.
    parameter integer ROW_W     = (TILE_ROWS > 1) ? $clog2(TILE_ROWS) : 1,
    parameter integer COLS_W    = $clog2(COLS + 1)
) (
    input  wire                clk_i,
    input  wire                rst_ni,

    input  wire                start_i,
    input  wire [31:0]         m_i,
    input  wire [31:0]         n_i,
    input  wire                scale_columns_i,
    input  wire                bias_i,

    input  wire                init_i,

    input  wire                s_axis_p_tvalid,
    output wire                s_axis_p_tready,
    output wire                load_scale_o,
    output wire                load_bias_o,

    input  wire                s_axis_c_tvalid,
    output wire                s_axis_c_tready,
    output wire                load_init_o,
    output wire                init_stall_o,

    input  wire [1:0]          bank_computed_i,
    input  wire                advance_i,
    input  wire                empty_i,
    output wire                read_o,
    output wire                bank_o,
    output wire [ROW_W-1:0]    row_o,

    output wire                valid_o,
    output wire [COLS_W-1:0]   cols_o,
    output wire                last_o,

    output wire                drained_o,
    output wire                drained_bank_o,
    output wire                stall_o
);
    wire              tile_valid;
    wire [ROW_W-1:0]  tile_last_row;
    wire [COLS_W-1:0] tile_cols;
    wire              tile_first_m, tile_last;
    wire              unused_terms, unused_first_k, unused_last_k;

    reg              scale_taken_q;     // of the tile at hand
    reg              bias_taken_q;
    reg [ROW_W-1:0]  row_q;
    reg              bank_q;
    reg              read_valid_q;      // of the word in the memory's output register
    reg              read_bank_q;
    reg              read_bank_last_q;
    reg              read_job_last_q;
    reg [COLS_W-1:0] read_cols_q;

    wire needs_scale = tile_first_m && scale_columns_i && !scale_taken_q;
    wire needs_bias  = tile_first_m && bias_i && !bias_taken_q;
    wire wants_beat  = tile_valid && (needs_scale || needs_bias) && !read_valid_q && empty_i;
    wire take_beat   = wants_beat && s_axis_p_tvalid;

    wire may_read = tile_valid && !needs_scale && !needs_bias && bank_computed_i[bank_q] && advance_i;
    wire read     = may_read && (!init_i || s_axis_c_tvalid);
    wire last_row = row_q == tile_last_row;
    wire end_tile = read && last_row;

    // One k tile: this walk does not depend on K.
    quaver_tile_iterator #(
        .TILE_M (TILE_ROWS),
        .TILE_N (COLS),
        .TILE_K (1)
    ) u_tiles (
        .clk_i      (clk_i),
        .rst_ni     (rst_ni),
        .start_i    (start_i),
        .m_i        (m_i),
        .n_i        (n_i),
        .k_i        (32'd0),
        .take_i     (end_tile),
        .valid_o    (tile_valid),
        .last_row_o (tile_last_row),
        .cols_o     (tile_cols),
        .terms_o    (unused_terms),
        .first_m_o  (tile_first_m),
        .first_k_o  (unused_first_k),
        .last_k_o   (unused_last_k),
        .last_o     (tile_last)
    );

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            scale_taken_q    <= 1'b0;
            bias_taken_q     <= 1'b0;
            row_q            <= {ROW_W{1'b0}};
            bank_q           <= 1'b0;
            read_valid_q     <= 1'b0;
            read_bank_q      <= 1'b0;
            read_bank_last_q <= 1'b0;
            read_job_last_q  <= 1'b0;
            read_cols_q      <= {COLS_W{1'b0}};
        end else begin
            if (end_tile) begin
                scale_taken_q <= 1'b0;
                bias_taken_q  <= 1'b0;
            end else if (take_beat) begin
                if (needs_scale) scale_taken_q <= 1'b1;
                else             bias_taken_q  <= 1'b1;
            end

            if (end_tile) begin
                row_q  <= {ROW_W{1'b0}};
                bank_q <= !bank_q;
            end else if (read) begin
                row_q  <= row_q + 1'b1;
            end

            if (advance_i) begin
                read_valid_q     <= read;
                read_bank_q      <= bank_q;
                read_bank_last_q <= last_row;
                read_job_last_q  <= last_row && tile_last;
                read_cols_q      <= tile_cols;
            end
        end
    end

    assign s_axis_c_tready = may_read && init_i;
    assign load_init_o     = read && init_i;
    assign init_stall_o    = s_axis_c_tready && !s_axis_c_tvalid;
    assign s_axis_p_tready = wants_beat;
    assign stall_o         = wants_beat && !s_axis_p_tvalid;
    assign load_scale_o    = take_beat && needs_scale;
    assign load_bias_o     = take_beat && !needs_scale;
    assign read_o          = read;
    assign bank_o          = bank_q;
    assign row_o           = row_q;
    assign valid_o         = read_valid_q;
    assign cols_o          = read_cols_q;
    assign last_o          = read_job_last_q;
    assign drained_o       = read_valid_q && read_bank_last_q && advance_i;
    assign drained_bank_o  = read_bank_q;
endmodule

`default_nettype wire
