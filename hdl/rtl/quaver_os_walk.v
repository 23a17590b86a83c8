// Walks the rows of a bank in the order in which the array's chains carry them: PE row
// after PE row, each by slot.
//
//   start_i, bank_i   begin in the next clock; not before the last word of the walk at hand
//   valid_o           row_o of bank_o, now
//   last_o            no word comes after it
//
// Row s * ROWS + r of a tile is slot s of PE row r. A walk is ROWS * SLOTS words,
// whether the tile has as many rows or not.
`default_nettype none

module quaver_os_walk #(
    parameter integer ROWS      = 8,
    parameter integer SLOTS     = 4,
    // Derived; leave it alone.
    parameter integer ROW_W     = $clog2(ROWS * SLOTS)
) (
    input  wire               clk_i,
    input  wire               rst_ni,
    input  wire               start_i,
    input  wire               bank_i,
    output wire               valid_o,
    output wire               bank_o,
    output wire [ROW_W-1:0]   row_o,
    output wire               last_o
);
    localparam integer LAST      = ROWS * SLOTS - 1;
    localparam integer LAST_SLOT = LAST - ROWS;

    reg             valid_q;
    reg             bank_q;
    reg [ROW_W-1:0] row_q;

    wire last      = row_q == LAST[ROW_W-1:0];
    // The PE row's last slot: the next word is the first of the PE row after it.
    wire last_slot = row_q > LAST_SLOT[ROW_W-1:0];

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            valid_q <= 1'b0;
            bank_q  <= 1'b0;
            row_q   <= {ROW_W{1'b0}};
        end else if (start_i) begin
            valid_q <= 1'b1;
            bank_q  <= bank_i;
            row_q   <= {ROW_W{1'b0}};
        end else if (valid_q) begin
            valid_q <= !last;
            if (last)           row_q <= {ROW_W{1'b0}};
            else if (last_slot) row_q <= row_q - LAST_SLOT[ROW_W-1:0];
            else                row_q <= row_q + ROWS[ROW_W-1:0];
        end
    end

    assign valid_o = valid_q;
    assign bank_o  = bank_q;
    assign row_o   = row_q;
    assign last_o  = last;
endmodule

`default_nettype wire
