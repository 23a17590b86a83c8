// Takes the rows of B of an output-stationary array from s_axis_b, a step of K (LANES
// terms) a beat, one ahead of the array.
//
//   start_i, m_i, n_i, k_i, format_b_i   the job
//   loaded_o    weight_o is that of the next step
//   take_i      the launcher begins the step; only when loaded_o. weight_o stays for one
//               more clock
//   weight_o    for each column, LANES x {valid, operand}
//   stall_o     a beat is wanted and not there
//
// A job with K = 0 has one step a tile, without a beat and with nothing valid.
`default_nettype none

module quaver_os_loader #(
    parameter integer                COLS         = 8,
    parameter integer                LANES        = 1,
    parameter integer                TILE_ROWS    = 32,
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

    output wire                                  loaded_o,
    input  wire                                  take_i,
    output wire [COLS*LANES*(1+OPERAND_W)-1:0]   weight_o,
    output wire                                  stall_o
);
    localparam integer TERMS_W  = $clog2(LANES + 1);
    localparam integer COLS_W   = $clog2(COLS + 1);
    localparam integer ROW_W    = $clog2(TILE_ROWS);
    localparam integer WEIGHT_W = 1 + OPERAND_W;

    wire               tile_valid;
    wire [TERMS_W-1:0] tile_terms;
    wire [ROW_W-1:0]   unused_last_row;
    wire [COLS_W-1:0]  unused_cols;
    wire               unused_first_m, unused_first_k, unused_last_k, unused_last;

    reg                           loaded_q;
    reg [COLS*LANES*WEIGHT_W-1:0] weight_q;

    wire may_load   = tile_valid && !loaded_q;
    wire wants_beat = may_load && tile_terms != {TERMS_W{1'b0}};
    wire load       = may_load && (!wants_beat || s_axis_b_tvalid);

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
        .take_i     (load),
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
            wire present = lane < {{32-TERMS_W{1'b0}}, tile_terms};

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
                    present ? {1'b1, operand} : {WEIGHT_W{1'b0}};
            end
        end
    endgenerate

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            loaded_q <= 1'b0;
            weight_q <= {COLS*LANES*WEIGHT_W{1'b0}};
        end else begin
            if (load)        loaded_q <= 1'b1;
            else if (take_i) loaded_q <= 1'b0;

            if (load) weight_q <= weight;
        end
    end

    assign s_axis_b_tready = wants_beat;
    assign stall_o         = wants_beat && !s_axis_b_tvalid;
    assign loaded_o        = loaded_q;
    assign weight_o        = weight_q;
endmodule

`default_nettype wire
