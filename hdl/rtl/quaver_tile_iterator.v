// Walks the tiles of a job: for n, for m, for k.
//
//   start_i   begin with the sizes of m_i, n_i, k_i, which then stay as they are
//             until the last tile is taken; m_i and n_i are not 0
//   take_i    go to the next tile; only when valid_o
//   valid_o   the outputs describe a tile:
//             last_row_o   rows of M in it, less 1
//             cols_o       columns of N in it
//             terms_o      terms of K in it; 0 only when k_i is 0
//             first_m_o    it has the first rows of M
//             first_k_o, last_k_o   it has the first, last terms of K
//             last_o       no tile comes after it
//
// The first tile is there two clocks after start_i, and each next one the clock
// after take_i: while one is looked at, the sizes of the next are compared.
`default_nettype none

module quaver_tile_iterator #(
    parameter integer TILE_M  = 256,
    parameter integer TILE_N  = 8,
    parameter integer TILE_K  = 8,
    // Derived; leave them alone.
    parameter integer ROW_W   = (TILE_M > 1) ? $clog2(TILE_M) : 1,
    parameter integer COLS_W  = $clog2(TILE_N + 1),
    parameter integer TERMS_W = $clog2(TILE_K + 1)
) (
    input  wire                 clk_i,
    input  wire                 rst_ni,

    input  wire                 start_i,
    input  wire [31:0]          m_i,
    input  wire [31:0]          n_i,
    input  wire [31:0]          k_i,

    input  wire                 take_i,
    output wire                 valid_o,
    output wire [ROW_W-1:0]     last_row_o,
    output wire [COLS_W-1:0]    cols_o,
    output wire [TERMS_W-1:0]   terms_o,
    output wire                 first_m_o,
    output wire                 first_k_o,
    output wire                 last_k_o,
    output wire                 last_o
);
    localparam integer LAST_ROW = TILE_M - 1;

    // The tile to be described next: what is left of each size, itself included.
    reg        running_q;
    reg [31:0] m_left_q, n_left_q, k_left_q;
    reg        first_m_q, first_k_q;

    // The tile described.
    reg               tile_valid_q;
    reg [ROW_W-1:0]   tile_last_row_q;
    reg [COLS_W-1:0]  tile_cols_q;
    reg [TERMS_W-1:0] tile_terms_q;
    reg               tile_first_m_q, tile_first_k_q, tile_last_k_q, tile_last_q;

    wire last_m = m_left_q <= TILE_M;
    wire last_n = n_left_q <= TILE_N;
    wire last_k = k_left_q <= TILE_K;
    wire fill   = running_q && (!tile_valid_q || take_i);

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            running_q       <= 1'b0;
            m_left_q        <= 32'd0;
            n_left_q        <= 32'd0;
            k_left_q        <= 32'd0;
            first_m_q       <= 1'b0;
            first_k_q       <= 1'b0;
            tile_valid_q    <= 1'b0;
            tile_last_row_q <= {ROW_W{1'b0}};
            tile_cols_q     <= {COLS_W{1'b0}};
            tile_terms_q    <= {TERMS_W{1'b0}};
            tile_first_m_q  <= 1'b0;
            tile_first_k_q  <= 1'b0;
            tile_last_k_q   <= 1'b0;
            tile_last_q     <= 1'b0;
        end else begin
            if (start_i) begin
                running_q <= 1'b1;
                m_left_q  <= m_i;
                n_left_q  <= n_i;
                k_left_q  <= k_i;
                first_m_q <= 1'b1;
                first_k_q <= 1'b1;
            end else if (fill) begin
                running_q <= !(last_m && last_n && last_k);
                k_left_q  <= last_k ? k_i : k_left_q - TILE_K;
                first_k_q <= last_k;
                if (last_k) begin
                    m_left_q  <= last_m ? m_i : m_left_q - TILE_M;
                    first_m_q <= last_m;
                    if (last_m) n_left_q <= n_left_q - TILE_N;
                end
            end

            if (fill) begin
                tile_valid_q    <= 1'b1;
                tile_last_row_q <= last_m ? m_left_q[ROW_W-1:0] - 1'b1 : LAST_ROW[ROW_W-1:0];
                tile_cols_q     <= last_n ? n_left_q[COLS_W-1:0] : TILE_N[COLS_W-1:0];
                tile_terms_q    <= last_k ? k_left_q[TERMS_W-1:0] : TILE_K[TERMS_W-1:0];
                tile_first_m_q  <= first_m_q;
                tile_first_k_q  <= first_k_q;
                tile_last_k_q   <= last_k;
                tile_last_q     <= last_m && last_n && last_k;
            end else if (take_i) begin
                tile_valid_q    <= 1'b0;
            end
        end
    end

    assign valid_o    = tile_valid_q;
    assign last_row_o = tile_last_row_q;
    assign cols_o     = tile_cols_q;
    assign terms_o    = tile_terms_q;
    assign first_m_o  = tile_first_m_q;
    assign first_k_o  = tile_first_k_q;
    assign last_k_o   = tile_last_k_q;
    assign last_o     = tile_last_q;
endmodule

`default_nettype wire
