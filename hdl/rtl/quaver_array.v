// ROWS x COLS processing elements.
//
//   operand_i, swap_i   left edge: for each row, LANES operands and a swap flag
//   shift_i             every PE takes the shadow weights of the PE below it
//   weight_i            bottom edge: for each column, what row ROWS-1 takes
//   psum_i              top edge: for each column, the partial sum that enters
//   psum_o              bottom edge: for each column, the sum that leaves
//
// A row of A is in column c of row r  r * PE_LATENCY + c  clocks after it was in
// column 0 of row 0, if the edges are skewed so. Column c takes psum_i at c and
// gives psum_o at  ROWS * PE_LATENCY + c.  Row 0 and column 0 are in the low bits.
`default_nettype none

module quaver_array #(
    parameter integer ROWS        = 8,
    parameter integer COLS        = 8,
    parameter integer LANES       = 1,
    parameter integer EXP_W       = 5,
    parameter integer SIG_W       = 4,
    parameter integer PE_LATENCY  = 4,
    parameter integer PSUM_W      = 32,
    parameter integer NORMALISE   = 1,
    parameter integer EXP_FLOOR   = -1024,
    parameter integer EXP_BASE    = 0,
    parameter [95:0]  ACCUMULATOR = 96'd0,
    // Derived; leave it alone.
    parameter integer OPERAND_W   = 3 + EXP_W + SIG_W
) (
    input  wire                                  clk_i,
    input  wire                                  rst_ni,

    input  wire [ROWS*LANES*OPERAND_W-1:0]       operand_i,
    input  wire [ROWS-1:0]                       swap_i,

    input  wire                                  shift_i,
    input  wire [COLS*LANES*(1+OPERAND_W)-1:0]   weight_i,

    input  wire [COLS*PSUM_W-1:0]                psum_i,
    output wire [COLS*PSUM_W-1:0]                psum_o
);
    localparam integer OPERANDS_W = LANES * OPERAND_W;
    localparam integer WEIGHTS_W  = LANES * (1 + OPERAND_W);

    // Wires between PEs. Index (row, col) is the side towards lower numbers:
    // operand and swap at the left of a PE, psum above it, weight above it.
    wire [ROWS*(COLS+1)*OPERANDS_W-1:0] operand;
    wire [ROWS*(COLS+1)-1:0]            swap;
    wire [(ROWS+1)*COLS*PSUM_W-1:0]     psum;
    wire [(ROWS+1)*COLS*WEIGHTS_W-1:0]  weight;

    assign psum[0 +: COLS*PSUM_W]                       = psum_i;
    assign psum_o                                       = psum[ROWS*COLS*PSUM_W +: COLS*PSUM_W];
    assign weight[ROWS*COLS*WEIGHTS_W +: COLS*WEIGHTS_W] = weight_i;

    genvar row, col;
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : gen_row
            assign operand[row*(COLS+1)*OPERANDS_W +: OPERANDS_W] =
                operand_i[row*OPERANDS_W +: OPERANDS_W];
            assign swap[row*(COLS+1)] = swap_i[row];

            for (col = 0; col < COLS; col = col + 1) begin : gen_col
                quaver_pe #(
                    .EXP_W       (EXP_W),
                    .SIG_W       (SIG_W),
                    .LANES       (LANES),
                    .PE_LATENCY  (PE_LATENCY),
                    .PSUM_W      (PSUM_W),
                    .NORMALISE   (NORMALISE),
                    .EXP_FLOOR   (EXP_FLOOR),
                    .EXP_BASE    (EXP_BASE),
                    .ACCUMULATOR (ACCUMULATOR)
                ) u_pe (
                    .clk_i     (clk_i),
                    .rst_ni    (rst_ni),
                    .operand_i (operand[(row*(COLS+1)+col)*OPERANDS_W +: OPERANDS_W]),
                    .swap_i    (swap[row*(COLS+1)+col]),
                    .operand_o (operand[(row*(COLS+1)+col+1)*OPERANDS_W +: OPERANDS_W]),
                    .swap_o    (swap[row*(COLS+1)+col+1]),
                    .shift_i   (shift_i),
                    .weight_i  (weight[((row+1)*COLS+col)*WEIGHTS_W +: WEIGHTS_W]),
                    .weight_o  (weight[(row*COLS+col)*WEIGHTS_W +: WEIGHTS_W]),
                    .psum_i    (psum[(row*COLS+col)*PSUM_W +: PSUM_W]),
                    .psum_o    (psum[((row+1)*COLS+col)*PSUM_W +: PSUM_W])
                );
            end
        end
    endgenerate

    // Nothing is to the right of the last column or above the first row.
    wire unused = &{1'b0, operand, swap, weight};
endmodule

`default_nettype wire
