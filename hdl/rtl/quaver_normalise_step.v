// One step of a normalising left shift. Combinational.
//
// Steps of 16, 8, 4, 2 and 1 in a row shift out the leading zeros of up to 32
// bits, and find their number on the way (the shift_o of each step), which
// needs far less logic than counting them first. A limit on the whole shift,
// for results that become subnormal, goes along bit by bit:
//
//   value_i, value_o   unsigned; shifted left by STEP if the STEP high bits
//                      are 0 and the limit allows it
//   limit_i            the bit of the limit that weighs STEP
//   room_i, room_o     what is left of the limit exceeds what the later steps
//                      can shift; room_i of the first step: the limit is at
//                      least twice its STEP
//   shift_o            the shift was done
`default_nettype none

module quaver_normalise_step #(
    parameter integer WIDTH = 27,
    parameter integer STEP  = 16
) (
    input  wire [WIDTH-1:0]   value_i,
    input  wire               limit_i,
    input  wire               room_i,
    output wire [WIDTH-1:0]   value_o,
    output wire               shift_o,
    output wire               room_o
);
    wire high_zero = !(|value_i[WIDTH-1 -: STEP]);

    assign shift_o = high_zero && (room_i || limit_i);
    assign value_o = shift_o ? value_i << STEP : value_i;
    assign room_o  = room_i || (limit_i && !shift_o);
endmodule

`default_nettype wire
