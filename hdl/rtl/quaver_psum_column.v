// The two banks of one column, and who uses their ports.
//
//   launch_*    a row enters the array: psum_o is its partial sum one clock later.
//               When launch_valid_i is low, psum_o is +0 one clock later.
//   retire_*    a row leaves the array: psum_i is written
//   preload_*   an initial value is written
//   drain_*     drain_psum_o is the word read by the last clock with drain_valid_i
//
// The state of a bank (see quaver_bank_status) keeps launch and drain, and
// retire and preload, from meeting in one bank.
`default_nettype none

module quaver_psum_column #(
    parameter integer TILE_ROWS = 256,
    parameter integer PSUM_W    = 32,
    // Derived; leave it alone.
    parameter integer ROW_W     = (TILE_ROWS > 1) ? $clog2(TILE_ROWS) : 1
) (
    input  wire                clk_i,
    input  wire                rst_ni,

    input  wire                launch_valid_i,
    input  wire                launch_bank_i,
    input  wire [ROW_W-1:0]    launch_row_i,
    output wire [PSUM_W-1:0]   psum_o,

    input  wire                retire_valid_i,
    input  wire                retire_bank_i,
    input  wire [ROW_W-1:0]    retire_row_i,
    input  wire [PSUM_W-1:0]   psum_i,

    input  wire                preload_valid_i,
    input  wire                preload_bank_i,
    input  wire [ROW_W-1:0]    preload_row_i,
    input  wire [PSUM_W-1:0]   preload_psum_i,

    input  wire                drain_valid_i,
    input  wire                drain_bank_i,
    input  wire [ROW_W-1:0]    drain_row_i,
    output wire [PSUM_W-1:0]   drain_psum_o
);
    wire [PSUM_W-1:0] read_data_0, read_data_1;

    wire [1:0] launch  = {launch_valid_i  &&  launch_bank_i,  launch_valid_i  && !launch_bank_i};
    wire [1:0] retire  = {retire_valid_i  &&  retire_bank_i,  retire_valid_i  && !retire_bank_i};
    wire [1:0] preload = {preload_valid_i &&  preload_bank_i, preload_valid_i && !preload_bank_i};
    wire [1:0] drain   = {drain_valid_i   &&  drain_bank_i,   drain_valid_i   && !drain_bank_i};

    quaver_psum_bank #(
        .DEPTH (TILE_ROWS),
        .WIDTH (PSUM_W)
    ) u_bank_0 (
        .clk_i           (clk_i),
        .write_enable_i  (retire[0] || preload[0]),
        .write_address_i (retire[0] ? retire_row_i : preload_row_i),
        .write_data_i    (retire[0] ? psum_i : preload_psum_i),
        .read_enable_i   (launch[0] || drain[0]),
        .read_address_i  (launch[0] ? launch_row_i : drain_row_i),
        .read_data_o     (read_data_0)
    );

    quaver_psum_bank #(
        .DEPTH (TILE_ROWS),
        .WIDTH (PSUM_W)
    ) u_bank_1 (
        .clk_i           (clk_i),
        .write_enable_i  (retire[1] || preload[1]),
        .write_address_i (retire[1] ? retire_row_i : preload_row_i),
        .write_data_i    (retire[1] ? psum_i : preload_psum_i),
        .read_enable_i   (launch[1] || drain[1]),
        .read_address_i  (launch[1] ? launch_row_i : drain_row_i),
        .read_data_o     (read_data_1)
    );

    // Which bank the word on the way to the array, or to the drain, comes from.
    reg launch_valid_q;
    reg launch_bank_q;
    reg drain_bank_q;

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            launch_valid_q <= 1'b0;
            launch_bank_q  <= 1'b0;
            drain_bank_q   <= 1'b0;
        end else begin
            launch_valid_q <= launch_valid_i;
            launch_bank_q  <= launch_bank_i;
            if (drain_valid_i) drain_bank_q <= drain_bank_i;
        end
    end

    assign psum_o       = !launch_valid_q ? {PSUM_W{1'b0}} :
                          launch_bank_q   ? read_data_1 : read_data_0;
    assign drain_psum_o = drain_bank_q    ? read_data_1 : read_data_0;
endmodule

`default_nettype wire
