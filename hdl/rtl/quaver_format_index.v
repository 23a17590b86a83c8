// Which row of a format table has an id. Combinational.
//
//   id_i      a format's number, as in the CSRs
//   found_o   a row has it; index_o is that row
//   nan_o     the format has a NaN; infinity_o  it has an infinity
//
// The rows are those of quaver_decode_select. No two of them have the same id.
`default_nettype none

module quaver_format_index #(
    parameter integer                FORMAT_COUNT = 1,
    parameter [40*FORMAT_COUNT-1:0]  FORMAT_TABLE = 40'h00_100E_3400,
    // Derived; leave it alone.
    parameter integer                INDEX_W      = (FORMAT_COUNT > 1) ? $clog2(FORMAT_COUNT) : 1
) (
    input  wire [7:0]           id_i,
    output wire                 found_o,
    output wire [INDEX_W-1:0]   index_o,
    output wire                 nan_o,
    output wire                 infinity_o
);
    reg               found, nan, infinity;
    reg [INDEX_W-1:0] index;
    integer           row;

    always @* begin
        found    = 1'b0;
        nan      = 1'b0;
        infinity = 1'b0;
        index    = {INDEX_W{1'b0}};
        for (row = 0; row < FORMAT_COUNT; row = row + 1) begin
            if (id_i == FORMAT_TABLE[40*row +: 8]) begin
                found    = 1'b1;
                nan      = nan      || FORMAT_TABLE[40*row+27 +: 3] != 3'd0;
                infinity = infinity || FORMAT_TABLE[40*row+30 +: 2] != 2'd0;
                index    = index | row[INDEX_W-1:0];
            end
        end
    end

    assign found_o    = found;
    assign index_o    = index;
    assign nan_o      = nan;
    assign infinity_o = infinity;
endmodule

`default_nettype wire
