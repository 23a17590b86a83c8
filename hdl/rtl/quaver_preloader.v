// Prepares a bank of partial sums for each m tile.
//
//   start_i, m_i, n_i, init_i   the job
//   bank_free_i   the state of the banks
//   write_o       s_axis_c_tdata goes to row_o of bank_o, in all columns, now
//   done_o        bank_o is prepared
//   stall_o       a beat is wanted and not there
//
// A job with init takes a beat a row. One without takes none and is done with a
// bank in the clock that finds it free: its first k tile starts from +0 and does
// not read the memory.
`default_nettype none

module quaver_preloader #(
    parameter integer COLS      = 8,
    parameter integer TILE_ROWS = 256,
    // Derived; leave it alone.
    parameter integer ROW_W     = (TILE_ROWS > 1) ? $clog2(TILE_ROWS) : 1
) (
    input  wire               clk_i,
    input  wire               rst_ni,

    input  wire               start_i,
    input  wire [31:0]        m_i,
    input  wire [31:0]        n_i,
    input  wire               init_i,

    input  wire               s_axis_c_tvalid,
    output wire               s_axis_c_tready,

    input  wire [1:0]         bank_free_i,
    output wire               write_o,
    output wire               bank_o,
    output wire [ROW_W-1:0]   row_o,
    output wire               done_o,
    output wire               stall_o
);
    localparam integer COLS_W = $clog2(COLS + 1);

    wire              tile_valid;
    wire [ROW_W-1:0]  tile_last_row;
    wire [COLS_W-1:0] unused_cols;
    wire              unused_terms, unused_first_m, unused_first_k, unused_last_k, unused_last;

    reg [ROW_W-1:0] row_q;
    reg             bank_q;

    wire may_fill = tile_valid && bank_free_i[bank_q];
    wire write    = may_fill && init_i && s_axis_c_tvalid;
    wire done     = may_fill && (!init_i || (s_axis_c_tvalid && row_q == tile_last_row));

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
        .take_i     (done),
        .valid_o    (tile_valid),
        .last_row_o (tile_last_row),
        .cols_o     (unused_cols),
        .terms_o    (unused_terms),
        .first_m_o  (unused_first_m),
        .first_k_o  (unused_first_k),
        .last_k_o   (unused_last_k),
        .last_o     (unused_last)
    );

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            row_q  <= {ROW_W{1'b0}};
            bank_q <= 1'b0;
        end else begin
            if (done) begin
                row_q  <= {ROW_W{1'b0}};
                bank_q <= !bank_q;
            end else if (write) begin
                row_q  <= row_q + 1'b1;
            end
        end
    end

    assign s_axis_c_tready = may_fill && init_i;
    assign stall_o         = s_axis_c_tready && !s_axis_c_tvalid;
    assign write_o         = write;
    assign bank_o          = bank_q;
    assign row_o           = row_q;
    assign done_o          = done;
endmodule

`default_nettype wire
