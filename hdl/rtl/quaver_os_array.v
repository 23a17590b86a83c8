// ROWS x COLS processing elements of the output-stationary array.
//
//   valid_i, operand_i, step_i, load_i, unload_i, restart_i, promote_i   left edge:
//              for each row, what its first PE takes
//   weight_i   top edge: for each column, LANES x {valid, operand} of B
//   init_i     bottom edge: for each column, initial values
//   result_o   top edge: for each column, results
//
// What enters row 0 enters row r  r * (SLOTS-1)  clocks later, and column c has it c
// clocks after column 0, if the edges are skewed so. Values move up one row a clock
// against that, so on their way they are SLOTS apart: the words of all rows follow
// each other without a gap or a meeting, row 0's first, each row's by slot.
// Row 0 and column 0 are in the low bits.
`default_nettype none

module quaver_os_array #(
    parameter integer ROWS            = 8,
    parameter integer COLS            = 8,
    parameter integer LANES           = 1,
    parameter integer EXP_W           = 5,
    parameter integer SIG_W           = 4,
    parameter integer PE_LATENCY      = 4,
    parameter integer SLOTS           = 4,
    parameter integer PSUM_W          = 32,
    parameter integer NORMALISE       = 1,
    parameter integer EXP_FLOOR       = -1024,
    parameter integer EXP_BASE        = 0,
    parameter [95:0]  ACCUMULATOR     = 96'd0,
    parameter integer CHUNKED         = 0,
    parameter integer PROMOTE_LATENCY = 4,
    // Derived; leave it alone.
    parameter integer OPERAND_W       = 3 + EXP_W + SIG_W
) (
    input  wire                                  clk_i,
    input  wire                                  rst_ni,

    input  wire [ROWS-1:0]                       valid_i,
    input  wire [ROWS*LANES*OPERAND_W-1:0]       operand_i,
    input  wire [ROWS-1:0]                       step_i,
    input  wire [ROWS-1:0]                       load_i,
    input  wire [ROWS-1:0]                       unload_i,
    input  wire [ROWS-1:0]                       restart_i,
    input  wire [ROWS-1:0]                       promote_i,

    input  wire [COLS*LANES*(1+OPERAND_W)-1:0]   weight_i,

    input  wire [COLS*PSUM_W-1:0]                init_i,
    output wire [COLS*PSUM_W-1:0]                result_o
);
    localparam integer OPERANDS_W = LANES * OPERAND_W;
    localparam integer WEIGHTS_W  = LANES * (1 + OPERAND_W);

    // Wires between PEs. Index (row, col) is the side towards lower numbers: the left
    // of a PE, and above it.
    wire [ROWS*(COLS+1)*OPERANDS_W-1:0] operand;
    wire [ROWS*(COLS+1)-1:0]            valid, step, load, unload, restart, promote;
    wire [(ROWS+1)*COLS*WEIGHTS_W-1:0]  weight;
    wire [(ROWS+1)*COLS*PSUM_W-1:0]     init, result;

    assign weight[0 +: COLS*WEIGHTS_W]              = weight_i;
    assign init[ROWS*COLS*PSUM_W +: COLS*PSUM_W]    = init_i;
    assign result[ROWS*COLS*PSUM_W +: COLS*PSUM_W]  = {COLS*PSUM_W{1'b0}};
    assign result_o                                 = result[0 +: COLS*PSUM_W];

    genvar row, col;
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : gen_row
            assign operand[row*(COLS+1)*OPERANDS_W +: OPERANDS_W] =
                operand_i[row*OPERANDS_W +: OPERANDS_W];
            assign valid[row*(COLS+1)]   = valid_i[row];
            assign step[row*(COLS+1)]    = step_i[row];
            assign load[row*(COLS+1)]    = load_i[row];
            assign unload[row*(COLS+1)]  = unload_i[row];
            assign restart[row*(COLS+1)] = restart_i[row];
            assign promote[row*(COLS+1)] = promote_i[row];

            for (col = 0; col < COLS; col = col + 1) begin : gen_col
                localparam integer LEFT  = row * (COLS + 1) + col;
                localparam integer ABOVE = row * COLS + col;
                localparam integer BELOW = ABOVE + COLS;

                quaver_os_pe #(
                    .EXP_W           (EXP_W),
                    .SIG_W           (SIG_W),
                    .LANES           (LANES),
                    .PE_LATENCY      (PE_LATENCY),
                    .SLOTS           (SLOTS),
                    .PSUM_W          (PSUM_W),
                    .NORMALISE       (NORMALISE),
                    .EXP_FLOOR       (EXP_FLOOR),
                    .EXP_BASE        (EXP_BASE),
                    .ACCUMULATOR     (ACCUMULATOR),
                    .CHUNKED         (CHUNKED),
                    .PROMOTE_LATENCY (PROMOTE_LATENCY)
                ) u_pe (
                    .clk_i     (clk_i),
                    .rst_ni    (rst_ni),
                    .valid_i   (valid[LEFT]),
                    .operand_i (operand[LEFT*OPERANDS_W +: OPERANDS_W]),
                    .step_i    (step[LEFT]),
                    .load_i    (load[LEFT]),
                    .unload_i  (unload[LEFT]),
                    .restart_i (restart[LEFT]),
                    .promote_i (promote[LEFT]),
                    .valid_o   (valid[LEFT+1]),
                    .operand_o (operand[(LEFT+1)*OPERANDS_W +: OPERANDS_W]),
                    .step_o    (step[LEFT+1]),
                    .load_o    (load[LEFT+1]),
                    .unload_o  (unload[LEFT+1]),
                    .restart_o (restart[LEFT+1]),
                    .promote_o (promote[LEFT+1]),
                    .weight_i  (weight[ABOVE*WEIGHTS_W +: WEIGHTS_W]),
                    .weight_o  (weight[BELOW*WEIGHTS_W +: WEIGHTS_W]),
                    .init_i    (init[BELOW*PSUM_W +: PSUM_W]),
                    .init_o    (init[ABOVE*PSUM_W +: PSUM_W]),
                    .result_i  (result[BELOW*PSUM_W +: PSUM_W]),
                    .result_o  (result[ABOVE*PSUM_W +: PSUM_W])
                );
            end
        end
    endgenerate

    // Nothing is to the right of the last column, below the last row or above the first.
    wire unused = &{1'b0, operand, valid, step, load, unload, restart, promote, weight, init};
endmodule

`default_nettype wire
